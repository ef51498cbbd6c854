import Autograd
import DiffusionModels
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

/// Against transformers in double precision, read as sd-scripts reads it.
@Suite struct TextEncoderTests {
  @Test(arguments: ["tiny-sd1", "tiny-sd2"], [1, 2])
  func vectorsAreThoseOfTransformers(name: String, clipSkip: Int) throws {
    let pipeline = TinyPipeline(name)
    let encoder = try StableDiffusionModel(opening: pipeline.folder).textEncoders[0]
    let golden = try pipeline.golden()
    let rows = try goldenTokens(golden)
    let expected = try #require(golden.tensors["te1.clip_skip_\(clipSkip)"]).tensor()
    let actual = encoder(rows, clipSkip: clipSkip).value
    expectClose(actual, expected, tolerance: 1e-5)
    print(name, "clip_skip", clipSkip, "relative error", relativeError(actual, expected))
  }

  /// Captions of three rows: marks between rows are left out, as sd-scripts does it, also on the way back.
  @Test func rowsBecomeOneText() throws {
    let pipeline = TinyPipeline("tiny-sd1")
    let encoder = try StableDiffusionModel(opening: pipeline.folder).textEncoders[0]
    let rows = try goldenTokens(pipeline.golden())
    let captions = [[rows[0], rows[1], rows[0]], [rows[1], rows[1], rows[0]]]
    let states = encoder(Array(captions.joined())).value
    let norm = try #require(encoder.layers.last)
    let shift = RowShift(width: encoder.width)
    norm.adaptation = shift
    let seed = Tensor(random: [2, 227, encoder.width], seed: 8)
    let text = Recording().record {
      let text = encoder.encode(captions)
      text.backpropagate(seed)
      return text.value
    }
    #expect(text.shape == [2, 227, encoder.width])
    func row(_ tensor: Tensor, _ caption: Int, _ position: Int) -> ArraySlice<Float> {
      let start = (caption * tensor.shape.columns / encoder.width + position) * encoder.width
      return tensor.elements[start..<start + encoder.width]
    }
    let whole = states.reshaped([2, 3 * 77, encoder.width])
    for caption in 0..<2 {
      // Of the second row tokens 1 to 75 stand behind those of the first.
      for (position, source) in [(0, 0), (75, 75), (76, 78), (150, 152), (151, 155), (226, 230)] {
        #expect(Array(row(text, caption, position)) == Array(row(whole, caption, source)))
      }
    }
    let sums = (0..<encoder.width).map { column in
      stride(from: column, to: seed.count, by: encoder.width).reduce(Float(0)) {
        $0 + seed.elements[$1]
      }
    }
    expectClose(
      try #require(shift.parameter.gradient), Tensor([encoder.width], sums), tolerance: 1e-5)
  }

  private final class RowShift: LayerAdaptation {
    let parameter: Parameter

    init(width: Int) { parameter = Parameter("shift", Tensor(zeros: [width])) }

    func output(of layer: Layer, for x: Variable) -> Variable {
      layer.frozen(x).addingRow(parameter.variable)
    }
  }
}

/// The rows of 77 tokens that the golden vectors are of.
func goldenTokens(_ golden: TensorFile) throws -> [[Int]] {
  let view = try #require(golden.tensors["te1.tokens"])
  let numbers = view.stored.bytes.withUnsafeBytes { bytes in
    stride(from: 0, to: bytes.count, by: 8).map {
      Int(bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
    }
  }
  return stride(from: 0, to: numbers.count, by: 77).map { Array(numbers[$0..<$0 + 77]) }
}
