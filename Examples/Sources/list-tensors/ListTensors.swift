import Safetensors
import SystemPackage
import Tensors

/// `list-tensors FILE`: names, formats and shapes of the tensors of a checkpoint, and the numbers in each.
///
/// FILE may be a safetensors file, one that is compressed, an index of shards, a folder of components or
/// what `torch.save` wrote.
@main struct ListTensors {
  static func main() throws {
    guard CommandLine.arguments.count == 2 else {
      print("usage: list-tensors FILE")
      return
    }
    // Headers only: nothing is unpacked for a list.
    let file = try TensorFile(
      opening: FilePath(CommandLine.arguments[1]), reading: .headers)
    for tensor in file {
      print("\(tensor.name)\t\(tensor.dtype)\t\(tensor.shape)\t\(tensor.shape.count)")
    }
    for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) {
      print("# \(key): \(value)")
    }
  }
}
