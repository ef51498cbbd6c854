import Checkpoints
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// What a plan says of blocks that are not kept in memory, and a run of that kind.
@Suite(.serialized) struct StreamedPlanTests {
  private static func configuration(
    blocks: Int, in folder: borrowing TemporaryFolder
  ) throws -> TrainingConfiguration {
    let oracle = Fixtures.path("training/oracles/hunyuan-video")
    var configuration = TrainingConfiguration(
      model: .init(base: oracle.appending("model.safetensors.zst")),
      output: .init(folder: folder.file("out"), name: "blocks-\(blocks)"))
    configuration.model.family = .named("hunyuan-video")
    configuration.model.streamedBlocks = blocks
    configuration.network.flags.module = "networks.lora"
    configuration.network.flags.rank = 2
    configuration.rates.common = 1e-2
    configuration.run.steps = 2
    configuration.run.seed = 7
    configuration.run.threads = 1
    configuration.optimizer = "AdamW"
    let text = String(
      decoding: try contents(of: oracle.appending("dataset.toml")), as: UTF8.self)
    configuration.images.configuration = try folder.write(
      "dataset.toml",
      text: text.replacingAll("\"cache\"", with: "\"\(oracle.appending("cache"))\""))
    return configuration
  }

  @Test func bytes() throws {
    let folder = TemporaryFolder()
    let plan = try TrainingPlan(Self.configuration(blocks: 0, in: folder))
    let sizes = plan.outline.blocks.map { block in
      block.reduce(0) { $0 + ($1.kind == .linear ? $1.shape.count * 4 : 0) }
    }
    #expect(plan.blocks.streamed == 0 && plan.blocks.all == sizes.count)
    #expect(plan.estimate.read == 0)
    let whole = plan.frozen.kept(streaming: 0)
    #expect(plan.estimate.frozen == whole)
    #expect(
      whole == plan.outline.modules.reduce(0) { $0 + $1.shape.count * 4 })
    for count in 0...sizes.count {
      let last = Array(sizes.suffix(count))
      // Two are always there.
      guard count > 2 else {
        #expect(plan.frozen.kept(streaming: count) == whole)
        #expect(plan.frozen.read(streaming: count) == 0)
        continue
      }
      let pairs = last.indices.dropLast().map { last[$0] + last[$0 + 1] }
      #expect(
        plan.frozen.kept(streaming: count) == whole - last.reduce(0, +) + pairs.max()!)
      #expect(
        plan.frozen.read(streaming: count) == last.dropFirst(2).reduce(0, +)
          + last.dropLast(2).reduce(0, +))
    }
  }

  @Test func tooMany() throws {
    let folder = TemporaryFolder()
    let count = try TrainingPlan(Self.configuration(blocks: 0, in: folder)).blocks.all
    #expect(
      message(of: { _ = try TrainingPlan(Self.configuration(blocks: count + 1, in: folder)) })
        == "'--blocks_to_swap': expected 0 to \(count), the blocks of the model, found \(count + 1)"
    )
  }

  @Test func fewSaveNothing() throws {
    let folder = TemporaryFolder()
    let plan = try TrainingPlan(Self.configuration(blocks: 2, in: folder))
    #expect(plan.notices.contains { $0.hasPrefix("'--blocks_to_swap 2' saves no memory") })
  }

  @Test func memoryMessage() {
    let error = TrainingError.memory(
      needed: 30_000_000_000, available: 20_000_000_000, fittingBlocks: 31, checkpointsBlocks: true,
      isNarrow: true, isPrepared: true)
    #expect(
      "\(error)"
        == "a step needs about 30.0 GB of memory, 20.0 GB are available; '--blocks_to_swap 31' would fit; a smaller "
        + "'batch_size' in '--dataset_config', or caches of a smaller 'resolution', take less")
    // Of pictures options say it.
    let other = TrainingError.memory(
      needed: 30_000_000_000, available: 20_000_000_000, fittingBlocks: nil,
      checkpointsBlocks: true,
      isNarrow: true, isPrepared: false)
    #expect("\(other)".hasSuffix("a smaller '--resolution' or '--train_batch_size' take less"))
  }

  /// A whole run writes the same file.
  @Test func sameFile() throws {
    let folder = TemporaryFolder()
    func adapter(blocks: Int) throws -> [String: [Float]] {
      let configuration = try Self.configuration(blocks: blocks, in: folder)
      _ = try TrainingPlan(configuration).train(observer: TrainingObserver())
      let file = try TensorFile(
        opening: configuration.output.folder.appending("blocks-\(blocks).safetensors"))
      return file.tensors.reduce(into: [:]) { $0[$1.key] = $1.value.tensor().elements }
    }
    let count = try TrainingPlan(Self.configuration(blocks: 0, in: folder)).blocks.all
    #expect(try adapter(blocks: count) == adapter(blocks: 0))
  }
}
