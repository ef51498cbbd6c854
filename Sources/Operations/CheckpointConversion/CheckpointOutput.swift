import Safetensors
import Tensors

/// One tensor of a checkpoint that is written.
struct CheckpointOutput: Sendable {
  /// A tensor with the factor it takes part with.
  struct Term: Sendable {
    var coefficient: Float
    let numbers: StoredNumbers
  }

  enum Content: Sendable {
    /// Bit for bit.
    case copied(TensorView)
    case converted(StoredNumbers)
    /// Of the first the sum has the shape. `columns` is how many elements of each row all have, if
    /// not all; the rest are those of the first.
    case sum([Term], columns: Int?)
    /// The scale of an 8-bit weight, by the name of that weight.
    case scale(of: String)
    /// Made here.
    case made(EncodedTensor)
  }

  let info: TensorInfo
  let content: Content
  /// Whether the numbers are divided by a scale before they are narrowed.
  var isScaled = false
}
