import ModelFamilies
import TestSupport
import Testing

@testable import Training

/// Which modules of SDXL are trained: those that sd-scripts' `networks.lora` and LyCORIS choose of sd-scripts' own
/// model, by name (scripts/fixtures/training/make-sdxl-modules.py).
struct StableDiffusionXLModulesTests {
  struct Selection: Sendable, CustomTestStringConvertible {
    /// As the list of modules calls it.
    let name: String
    var arguments: [String] = []
    var testDescription: String { name }
    var module: String { name.hasPrefix("lora") ? "networks.lora" : "lycoris.kohya" }
  }

  static let selections =
    [
      Selection(name: "lora"), Selection(name: "lora+conv_dim", arguments: ["conv_dim=8"]),
      Selection(name: "full+train_norm", arguments: ["preset=full", "train_norm=True"]),
    ]
    + [
      "full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only",
      "unet-convblock-only",
    ].map { Selection(name: $0, arguments: ["preset=\($0)"]) }

  private static let modules = Result { try KeyList.sdxl().layout() }

  @Test(arguments: selections) func selectsTheSame(selection: Selection) throws {
    let layout = try Self.modules.get()
    var flags = NetworkSettings.Flags()
    flags.module = selection.module
    flags.rank = 16
    let plan = try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(
        flags, NetworkArguments(parsing: selection.arguments),
        blockNumbers: layout.family.blocks?.numbers))
    let expected = try fixtureLines("training/network/sdxl-modules.txt").compactMap { line in
      let columns = line.split(separator: "\t")
      return columns[2].split(separator: " ").contains { $0 == selection.name }
        ? String(columns[0]) : nil
    }
    #expect(expected.count > 60)
    let found = Set(plan.modules.map(\.name))
    #expect(found.subtracting(expected).sorted() == [])
    #expect(Set(expected).subtracting(found).sorted() == [])
    #expect(plan.modules.count == expected.count)
  }

  /// `block_dims` has 23 numbers: here the rank tells the block.
  @Test func blocksAreNumberedAsThere() throws {
    let layout = try Self.modules.get()
    var flags = NetworkSettings.Flags()
    flags.module = "networks.lora"
    flags.trainsTextEncoders = false
    let ranks = (1...23).map { "\($0)" }.joined(separator: ",")
    let plan = try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(
        flags,
        NetworkArguments(parsing: ["block_dims=\(ranks)", "conv_block_dims=\(ranks)"]),
        blockNumbers: layout.family.blocks?.numbers))
    let found = Dictionary(
      uniqueKeysWithValues: plan.modules.map { ($0.name, $0.options.rank - 1) })
    var count = 0
    for line in try fixtureLines("training/network/sdxl-modules.txt") {
      let columns = line.split(separator: "\t")
      guard let block = Int(columns[1]), let rank = found[String(columns[0])] else { continue }
      #expect(rank == block, "\(columns[0])")
      count += 1
    }
    #expect(count == 788)
  }
}
