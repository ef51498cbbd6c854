import Safetensors
import SystemPackage
import Tensors

/// The code in the documentation of `Safetensors`. It reads `model.safetensors`, a small Stable Diffusion.
enum FileSnippets {
  static func run() throws {
    try reading()
    try writing()
    try converting()
    try errors()
  }

  private static func reading() throws {
    let file = try TensorFile(opening: "model.safetensors")
    for tensor in file { print(tensor.name, tensor.dtype, tensor.shape) }
    if let weight = file["model.diffusion_model.out.2.weight"] { print(weight.tensor().elements) }
    precondition(file["model.diffusion_model.out.2.weight"] != nil)
  }

  private static func writing() throws {
    let tensors = ["ones": EncodedTensor(Tensor([2], [1, 1]), as: .f16)]
    var writer = try SafetensorsWriter.create(
      "ones.safetensors",
      announcing: tensors.map { TensorInfo(name: $0, dtype: $1.dtype, shape: $1.shape) })
    for info in writer.order {
      if let tensor = tensors[info.name] { try writer.append(info.name, tensor) }
    }
    try writer.finish()
    let ones = try TensorFile(opening: "ones.safetensors")
    precondition(ones["ones"]?.tensor().elements == [1, 1])
  }

  private static func converting() throws {
    let file = try TensorFile(opening: "model.safetensors")
    var writer = try SafetensorsWriter.create(
      "half.safetensors",
      announcing: file.map { TensorInfo(name: $0.name, dtype: .f16, shape: $0.shape) },
      metadata: file.metadata)
    for info in writer.order {
      guard let tensor = file[info.name] else { continue }
      try writer.append(info.name, EncodedTensor(tensor.tensor(), as: .f16))
    }
    try writer.finish()
    let half = try TensorFile(opening: "half.safetensors")
    precondition(half.allSatisfy { $0.dtype == .f16 })
  }

  private static func errors() throws {
    do {
      _ = try TensorFile(opening: "missing.safetensors")
    } catch .io(let path, .open, .noSuchFileOrDirectory) {
      print("there is no \(path)")
    } catch {
      print(error)  // FILE: tensor 'NAME': expected …, found …
    }
  }
}
