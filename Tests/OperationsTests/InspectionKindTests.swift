import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a file is, and what is in it, by names and shapes.
@Suite struct InspectionKindTests {
  private func report(_ path: String) throws -> InspectionReport {
    try Inspection(opening: Fixtures.path(path), reading: .headers).report()
  }

  @Test(arguments: [
    ("inspect/latents", InspectedKind.latentCache), ("inspect/text", .textCache),
    ("inspect/embedding", .embedding), ("inspect/bundle", .adapter), ("inspect/loha", .adapter),
    ("real/fashion-ddpm/trained-lora-r4", .adapter), ("real/fashion-ddpm/base", .checkpoint),
    ("real/chgnet/base", .checkpoint), ("real/waifu2x-cunet/base", .checkpoint),
    ("lora/sd1-small/base.ldm", .checkpoint), ("safetensors/no-tensors", .unknown),
  ])
  func kinds(file: String, kind: InspectedKind) throws {
    let report = try report(file + ".safetensors")
    #expect(report.kind == kind, "\(report.kindEvidence)")
    #expect(!report.kindEvidence.isEmpty)
  }

  /// State dicts that LyCORIS wrote: names, modules and ranks as they were asked for.
  @Test(
    arguments: [
      ("loha", ["loha": 4], 4.0), ("lokr", ["lokr": 4], nil), ("ia3", ["ia3": 4], nil),
      ("diag-oft", ["diag-oft": 4], nil), ("boft", ["boft": 4], nil), ("glora", ["glora": 4], 4),
      ("locon", ["lora": 2, "lora + tucker": 2], 4), ("dora", ["lora + dora": 4], 4),
      ("loha-tucker", ["loha": 2, "loha + tucker": 2], 4),
    ] as [(String, [String: Int], Double?)])
  func algorithms(file: String, modules: [String: Int], rank: Double?) throws {
    let report = try report("inspect/\(file).safetensors")
    let adapter = try #require(report.adapter)
    let found = Dictionary(uniqueKeysWithValues: adapter.algorithms.map { ($0.name, $0.modules) })
    #expect(found == modules)
    #expect(adapter.orphans == [])
    #expect(adapter.groups.allSatisfy { $0.component == "unet" && $0.block == "down_blocks" })
    if let rank {
      #expect(adapter.groups.flatMap(\.ranks).map(\.value) == adapter.groups.map { _ in rank })
    }
    #expect(adapter.algorithms.allSatisfy { $0.isKnown })
    #expect(adapter.notes == [])
  }

  @Test func groupsByComponentAndBlock() throws {
    let adapter = try #require(report("lora/sd1-small/kohya.safetensors").adapter)
    #expect(adapter.modules == 402)
    let text = try #require(adapter.groups.first { $0.component == "te1" })
    #expect(text.block == "text_model_encoder_layers")
    #expect(text.modules == 12)
    // dim 3 and alpha 1.5 as its metadata say; convolutions have dim 2 and alpha 1.
    #expect(text.ranks.map(\.value) == [3])
    #expect(text.ranks.map(\.modules) == [12])
    #expect(text.alphas.map(\.value) == [1.5])
    let resnets = try #require(
      adapter.groups.first { $0.block == "down_blocks.resnets" && $0.algorithm == "lora" })
    #expect(resnets.ranks.map(\.value) == [2, 3])
    #expect(resnets.scales.map(\.value) == [0.5])
  }

  /// diffusers writes alpha 3 and rank 2 into the metadata, and no tensors for them.
  @Test func alphaOfTheMetadataCounts() throws {
    let adapter = try #require(report("lora/sd1-small/diffusers.safetensors").adapter)
    #expect(Set(adapter.groups.flatMap(\.alphas).map(\.value)) == [3])
    #expect(Set(adapter.groups.flatMap(\.scales).map(\.value)) == [1.5])
  }

  @Test func totalsAddUp() throws {
    let report = try report("lora/sd1-small/base")
    #expect(report.components.map(\.name) == ["text_encoder", "unet"])
    for totals in [report.components, report.dtypes] {
      #expect(totals.reduce(0) { $0 + $1.tensors } == report.total.tensors)
      #expect(totals.reduce(0) { $0 + $1.parameters } == report.total.parameters)
      #expect(totals.reduce(0) { $0 + $1.bytes } == report.total.bytes)
    }
    let file = try TensorFile(opening: Fixtures.path("lora/sd1-small/base"))
    #expect(report.total.tensors == file.tensors.count)
    #expect(report.total.bytes == file.tensors.values.reduce(0) { $0 + $1.byteCount })
  }

  /// Names and shapes are all that is unpacked, except for the alphas of an adapter.
  @Test func compressedFilesAreDescribed() throws {
    let plain = try TensorFile(opening: Fixtures.path("inspect/trained.safetensors"))
    let folder = TemporaryFolder()
    let path = folder.file("trained.safetensors.zst")
    var writer = try SafetensorsWriter.create(
      path, announcing: plain.tensors.values.map(\.info), metadata: plain.metadata)
    for info in writer.order {
      try writer.append(info.name, #require(plain.tensors[info.name]).bytes)
    }
    try writer.finish()
    let report = try Inspection(opening: path, reading: .headers).report()
    #expect(report.storage == "one file, compressed with zstd")
    #expect(report.adapter?.groups.flatMap(\.scales).map(\.value) == [0.5])
  }

  @Test func bundledEmbeddingsAreNamed() throws {
    let adapter = try #require(report("inspect/bundle.safetensors").adapter)
    #expect(adapter.embeddings == ["lighthouse"])
    #expect(adapter.modules == 1)
  }

  @Test func cachedArraysAreRead() throws {
    let latents = try #require(report("inspect/latents.safetensors").cache)
    #expect(latents.architecture == "wan")
    #expect(latents.contents.map(\.name) == ["latents"])
    #expect(latents.contents.map(\.size) == ["1x8x6"])
    let text = try #require(report("inspect/text.safetensors").cache)
    #expect(text.contents.map(\.name) == ["t5"])
    #expect(text.contents.map(\.hasVariableLength) == [true])
  }

  /// Full-size checkpoints by their published names; data without a byte on disk.
  @Test(arguments: [("sd1.ldm", "sd1"), ("sdxl.sgm", "sdxl"), ("flux1.native", "flux")])
  func familiesOfCheckpoints(list: String, family: String) throws {
    let folder = TemporaryFolder()
    let path = try SparseCheckpoint.write(list, in: folder)
    let report = try Inspection(opening: path, reading: .headers).report()
    #expect(report.kind == .checkpoint)
    #expect(report.family?.name == family)
    #expect(report.family?.evidence.isEmpty == false)
    #expect(!report.components.contains { $0.name == "other" }, "\(report.components)")
  }

  @Test func givenFamilyDecides() throws {
    let path = Fixtures.path("lora/sd1-small/base.ldm.safetensors")
    #expect(try Inspection(opening: path).report().family?.name == "generic")
    let family = try #require(ModelFamily.named("sd1"))
    #expect(try Inspection(opening: path, as: family).report().family?.name == "sd1")
    #expect(throws: ModelFamilyError.self) {
      try Inspection(opening: Fixtures.path("real/chgnet/base.safetensors"), as: family)
    }
  }
}
