import Safetensors
import SystemPackage
import Tensors

/// `change-tensor FILE NAME OUT`: the checkpoint with one tensor doubled, and negative numbers of it zero.
///
/// All others are copied byte for byte. OUT appears when it is whole, or not at all; it may be FILE.
@main struct ChangeTensor {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4 else {
      print("usage: change-tensor FILE NAME OUT")
      return
    }
    let file = try TensorFile(opening: FilePath(arguments[1]))
    guard let stored = file[arguments[2]], stored.dtype.isConvertible else {
      print("no numbers under the name '\(arguments[2])'")
      return
    }
    // In memory numbers are always `Float`, whatever the file has.
    var tensor = stored.tensor()
    print("before: \(tensor.sumOfSquares.squareRoot())")
    tensor.scale(by: 2)
    tensor = Tensor(tensor.shape, tensor.elements.map { max($0, 0) })
    print("after: \(tensor.sumOfSquares.squareRoot())")

    var writer = try SafetensorsWriter.create(
      FilePath(arguments[3]), announcing: file.map(\.info), metadata: file.metadata)
    for info in writer.order {
      if info.name == stored.name {
        try writer.append(info.name, EncodedTensor(tensor, as: info.dtype))
      } else if let other = file[info.name] {
        try writer.append(other)
      }
    }
    try writer.finish()
  }
}
