import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Runs whose adapters are known to the bit: whatever moves in the code, these numbers do not.
///
/// The bits are those of one kind of processor, because products of other instruction sets sum in another
/// order. The recording says which it was by the hash of a product; on another, losses are compared.
/// `LYCO_RECORD=1` writes the recording again, after a change that is meant to change numbers.
@Suite(.serialized) struct RecordedRunTests {
  struct Recorded: Sendable, CustomTestStringConvertible {
    let name: String
    let pipeline: SmallPipeline
    let change: @Sendable (inout SmallRun) throws -> Void

    init(
      _ name: String, on pipeline: SmallPipeline = .sd1,
      _ change: @escaping @Sendable (inout SmallRun) throws -> Void
    ) {
      (self.name, self.pipeline, self.change) = (name, pipeline, change)
    }

    var testDescription: String { name }
  }

  static let runs: [Recorded] = [
    Recorded("lora") { _ in },
    Recorded("loha-validation") {
      $0.set("algo=loha", "conv_dim=2")
      $0.configuration.images.values.validationSplit = 0.3
      $0.configuration.run.validationSteps = 2
    },
    Recorded("lokr-bf16") {
      $0.set("algo=lokr", "factor=4")
      $0.configuration.model.compute = .bf16
    },
    Recorded("full-unet-alone") {
      $0.set("algo=full")
      $0.configuration.network.flags.trainsTextEncoders = false
    },
    Recorded("dora-checkpointing") {
      $0.set("dora_wd=True", "rank_dropout=0.3")
      $0.configuration.run.checkpointsBlocks = true
    },
    Recorded("diag-oft-pixels") {
      $0.set("algo=diag-oft")
      $0.configuration.cache.place = nil
      $0.configuration.images.values.flipAug = true
      $0.configuration.images.values.randomCrop = true
    },
    Recorded("ia3-disk") {
      $0.set("algo=ia3")
      try $0.copyImages()
      $0.configuration.cache.place = .disk(.safetensors)
    },
    Recorded("glora-velocity", on: .sd2) {
      $0.set("algo=glora")
      $0.configuration.loss.predictsVelocity = true
      $0.configuration.loss.minSNRGamma = 5
      $0.configuration.hasZeroTerminalSNR = true
    },
    Recorded("boft-accumulation") {
      $0.set("algo=boft")
      $0.configuration.run.accumulation = 2
      $0.configuration.images.values.batchSize = 2
    },
    Recorded("dylora-noise", on: .sd2) {
      $0.set("algo=dylora", "block_size=1")
      $0.configuration.noise.offset = 0.1
      $0.configuration.noise.multiresIterations = 3
      $0.configuration.loss.kind = .huber
    },
    Recorded("norms-long-captions") {
      $0.set("train_norm=True")
      $0.configuration.model.maxTokenLength = 150
      $0.configuration.model.clipSkip = 2
      $0.configuration.optimizer = "Prodigy"
      $0.configuration.rates.common = 1
    },
    Recorded("int8-bf16-average") {
      $0.configuration.model.compute = .bf16
      $0.configuration.model.holdsInt8 = true
      $0.configuration.run.averageDecay = 0.9
      $0.configuration.output.dtype = .bf16
    },
    Recorded("tlora-plus-two-threads") {
      $0.set("algo=tlora", "loraplus_lr_ratio=4")
      $0.configuration.run.threads = 2
    },
    Recorded("kohya-blocks") {
      $0.configuration.network.flags.module = "networks.lora"
      $0.configuration.network.arguments = [
        "conv_dim=2", "block_dims=" + (0..<25).map { "\($0 % 3 + 1)" }.joined(separator: ","),
      ]
      $0.configuration.rates.textEncoders = [5e-3]
      $0.configuration.schedule.name = "cosine"
    },
    Recorded("resumed") {
      $0.set("conv_dim=2", "dropout=0.1")
      $0.configuration.output.everySteps = 2
      $0.configuration.output.savesState = true
      _ = try $0.run()
      let name = $0.configuration.output.name
      $0.configuration.run.resumed = $0.folder.appending("\(name)-step00000002-state")
      $0.configuration.output.name = "\(name)-resumed"
    },
  ]

  private static let path = Fixtures.path("training/recorded-runs.json")
  private static let recording = Result {
    try JSONDecoder().decode(RecordedBits.self, from: Data(contents(of: path)))
  }
  private static let records = ProcessInfo.processInfo.environment["LYCO_RECORD"] != nil

  @Test(.disabled(if: records), arguments: runs)
  func givesTheSameBits(run: Recorded) throws {
    let recording = try Self.recording.get()
    let expected = try #require(recording.runs[run.name], "not recorded")
    let (found, isNarrow) = try Self.outcome(of: run)
    if recording.processor == RecordedBits.thisProcessor(.f32),
      !isNarrow || recording.narrowProcessor == RecordedBits.thisProcessor(.bf16)
    {
      #expect(found == expected)
    } else {
      // Four steps with AdamW: a loss moves with the last bits of products by far less. Instructions for bf16 round
      // what is multiplied to 8 bits, 4e-3 of it; where there are none it is not rounded.
      let error = abs(found.loss - expected.loss) / expected.loss
      #expect(error < (isNarrow ? 1e-2 : 1e-3), "off by \(error)")
      #expect(found.tensors == expected.tensors)
    }
  }

  @Test(.enabled(if: records)) func record() throws {
    var recording = RecordedBits(
      processor: RecordedBits.thisProcessor(.f32),
      narrowProcessor: RecordedBits.thisProcessor(.bf16), runs: [:])
    for run in Self.runs { recording.runs[run.name] = try Self.outcome(of: run).bits }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(recording).write(to: URL(filePath: Self.path.string))
  }

  private static func outcome(
    of recorded: Recorded
  ) throws -> (bits: RecordedBits.Run, isNarrow: Bool) {
    var run = try SmallRun(recorded.name, on: recorded.pipeline)
    defer { run.remove() }
    try recorded.change(&run)
    let report = try run.run()
    let hash = SHA256()
    let tensors = try run.adapter()
    for (name, bytes) in tensors.sorted(by: { $0.key < $1.key }) {
      hash.update(Array(name.utf8).span.bytes)
      hash.update(bytes.span.bytes)
    }
    let bits = RecordedBits.Run(
      hash: hash.finish(), tensors: tensors.count, loss: report.loss,
      validationLoss: report.validationLoss)
    return (bits, run.configuration.model.compute == .bf16)
  }
}

/// What runs gave, and on which kind of processor.
struct RecordedBits: Codable {
  struct Run: Codable, Equatable {
    /// Of names and bytes of all tensors of the adapter.
    let hash: String
    let tensors: Int
    let loss: Double
    let validationLoss: Double?
  }

  /// See `thisProcessor(_:)`: of f32, and of bf16, which vectors, tiles (AMX), and processors without instructions for it
  /// multiply each in an order of their own.
  let processor, narrowProcessor: String
  var runs: [String: Run]

  /// A hash of what the libraries of products make of known numbers: equal where all sum in one order.
  static func thisProcessor(_ compute: ComputeType) -> String {
    var generator = SeededGenerator(seed: 1)
    func random(_ shape: Shape) -> Tensor {
      Tensor(shape, (0..<shape.count).map { _ in Float.random(in: -1...1, using: &generator) })
    }
    let (a, b) = (random([37, 129]), random([53, 129]))
    let image = random([2, 9, 9, 8])
    func heads(_ tokens: Int) -> Variable { Variable(random([1, tokens, 64])) }
    let filter = Layer(
      component: "", path: "", .convolution(ConvolutionGeometry(padding: 1)),
      weight: random([16, 8, 3, 3]), bias: nil, compute: compute)
    let hash = SHA256()
    for tensor in [
      a.matmulTransposed(b), Variable(a).linear(FrozenMatrix(b, compute: compute)).value,
      filter(Variable(image)).value,
      Variable.attention(heads(40), heads(50), heads(50), heads: 2, compute: compute).value,
    ] {
      hash.update(tensor.elements.span.bytes)
    }
    return hash.finish()
  }
}
