import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Faults, matches with a base, differences of files.
@Suite struct InspectionCheckTests {
  private func check(_ path: String) async throws -> InspectionReport.Check {
    try await Inspection(opening: Fixtures.path(path)).check(threads: 2, progress: .silent)
  }

  @Test func everyFaultIsFound() async throws {
    let check = try await check("inspect/faulty.safetensors")
    let expected = [
      "tensor 'lora_unet_infinite.lora_down.weight': 0 NaN and 2 infinite of 10 numbers",
      "tensor 'lora_unet_nan.lora_up.weight': 1 NaN and 0 infinite of 12 numbers",
      "tensor 'lora_unet_stranger.weights' belongs to no module of a known algorithm",
      "tensor 'lora_unet_lone.alpha': an alpha without the module it belongs to",
      "module 'lora_unet_long_alpha': alpha: expected one number, found F32 [2]",
      "module 'lora_unet_missing_up': 'lora_up.weight' is missing",
      "module 'lora_unet_negative_alpha': alpha is -1.0: the module's change is turned around",
      "module 'lora_unet_rank_mismatch': 'lora_up.weight': expected shape [6, 2], found [6, 3]",
      "module 'lora_unet_zero_alpha': alpha is 0: the module has no effect",
      "module 'lora_unet_missing_alpha': alpha is missing, though other modules have one; "
        + "the scale is 1",
    ]
    #expect(check.findings.count == expected.count + 1, "\(check.findings)")
    for finding in expected { #expect(check.findings.contains(finding), "\(finding)") }
    #expect(
      check.findings.last?.hasSuffix("found \(String(repeating: "0", count: 64))") == true)
    #expect(check.notes.contains("module 'lora_unet_zero' is zero"))
    #expect(check.notes.contains("sshs_legacy_hash is that of the data"))
  }

  /// Hashes as sd-scripts computes them.
  @Test func soundFilesHaveNoFindings() async throws {
    let trained = try await check("inspect/trained.safetensors")
    #expect(trained.findings == [])
    #expect(
      trained.notes == [
        "sshs_model_hash is that of the data", "sshs_legacy_hash is that of the data",
      ])
    for file in [
      "real/fashion-ddpm/trained-lora-r4", "real/chgnet/base", "inspect/loha", "inspect/ia3",
      "inspect/boft", "inspect/glora", "inspect/lokr", "inspect/dora", "inspect/loha-tucker",
    ] {
      #expect(try await check(file + ".safetensors").findings == [], "\(file)")
    }
  }

  /// LyCORIS hashes the tensors in an order that the file does not keep.
  @Test func hashOfLycorisIsNoFinding() async throws {
    let check = try await check("lora/sd1-small/kohya.safetensors")
    #expect(check.findings == [])
    #expect(check.notes.contains { $0.contains("LyCORIS") })
  }

  /// A tool that writes no alphas has lost none.
  @Test func alphaOfNoModuleIsANote() async throws {
    let check = try await check("lora/sd1-small/peft.safetensors")
    #expect(check.findings == [])
    #expect(check.notes.count == 1)
  }

  @Test(arguments: [
    ("kohya", 402), ("diffusers", 144), ("lycoris", 192), ("peft", 64),
  ])
  func modulesMeetTheirBase(adapter: String, modules: Int) throws {
    let base = try BaseModel(
      opening: Fixtures.path("lora/sd1-small/base"), as: ModelFamily.named("sd1"))
    let match = try Inspection(
      opening: Fixtures.path("lora/sd1-small/\(adapter).safetensors")
    ).match(with: base)
    #expect(match.isComplete, "\(match.unmatched) \(match.misshapen)")
    #expect(match.matched == modules)
  }

  @Test func foreignModulesAreNamed() throws {
    let base = try BaseModel(opening: Fixtures.path("real/fashion-ddpm/base.safetensors"))
    let inspection = try Inspection(
      opening: Fixtures.path("lora/sd1-small/kohya.safetensors"))
    let match = try inspection.match(with: base)
    #expect(match.matched + match.unmatched.count + match.misshapen.count == 402)
    #expect(match.unmatched.contains { $0.module.hasPrefix("lora_te_") })
    // conv_in exists in both, with 4 and 1 input channels.
    #expect(match.misshapen.contains { $0.module == "lora_unet_conv_in" })
    #expect(throws: OperationError.self) {
      try Inspection(opening: Fixtures.path("real/chgnet/base.safetensors")).match(with: base)
    }
  }

  @Test func equalFilesDifferInNothing() async throws {
    let file = try Inspection(opening: Fixtures.path("real/chgnet/base.safetensors"))
    let difference = try await file.difference(
      from: file, .all, threads: 2, progress: .silent)
    #expect(difference.hasEqualTensors)
    #expect(difference.equal == file.file.tensors.count)
    #expect(difference.metadata == [])
  }

  @Test func changesAreSortedByNorm() async throws {
    let base = try Inspection(opening: Fixtures.path("real/chgnet/base.safetensors"))
    let tuned = try Inspection(opening: Fixtures.path("real/chgnet/tuned.safetensors"))
    let difference = try await base.difference(
      from: tuned, .all, threads: 2, progress: .silent)
    #expect(difference.changed.count + difference.equal == 136)
    #expect(!difference.changed.isEmpty && difference.equal > 0)
    let changes = difference.changed.compactMap(\.change)
    #expect(changes == changes.sorted(by: >))
    for changed in difference.changed.prefix(5) {
      let before = try #require(base.file.tensors[changed.name]).tensor()
      let after = try #require(tuned.file.tensors[changed.name]).tensor()
      #expect(changed.change == after.squaredDistance(to: before).squareRoot())
    }
  }
}
