import Foundation
import OrderedCollections
package import Safetensors
package import SystemPackage
package import Tensors

/// One of the pipelines in `Fixtures/training/models`: `tiny-sd1`, `tiny-sd2`, `tiny-sdxl`.
package struct TinyPipeline {
  package let name: String

  package init(_ name: String) { self.name = name }

  /// In the layout of diffusers.
  package var folder: FilePath { Fixtures.path("training/models/\(name)") }

  /// What diffusers and transformers compute with it.
  package func golden() throws -> TensorFile {
    try TensorFile(opening: Fixtures.path("training/models/\(name).golden.safetensors"))
  }

  /// Writes the same weights as a single file with the original names.
  package func writeSingleFile(in target: borrowing TemporaryFolder) throws -> FilePath {
    let source = try TensorFile(opening: folder)
    var tensors: [String: EncodedTensor] = [:]
    for line in try fixtureLines("training/models/\(name).single-file.txt") {
      let columns = line.split(separator: "\t")
      let parts = columns[2].split(separator: " ").map { part in
        part.hasSuffix("^T")
          ? transposed(source.tensors[String(part.dropLast(2))]!.stored)
          : source.tensors[String(part)]!.stored
      }
      tensors[String(columns[0])] = EncodedTensor(
        parts[0].dtype, Shape(columns[1].split(separator: "x").map { Int($0)! }),
        Array(parts.map(\.bytes).joined()))
    }
    return try target.write("\(name).safetensors", tensors)
  }

  /// A matrix whose rows and columns change places: OpenCLIP keeps its projection so.
  private func transposed(_ matrix: EncodedTensor) -> EncodedTensor {
    let (rows, columns) = (matrix.shape.rows, matrix.shape.columns)
    let width = matrix.dtype.bitsPerElement / 8
    var bytes: [UInt8] = []
    bytes.reserveCapacity(matrix.bytes.count)
    for column in 0..<columns {
      for row in 0..<rows {
        let start = (row * columns + column) * width
        bytes.append(contentsOf: matrix.bytes[start..<start + width])
      }
    }
    return EncodedTensor(matrix.dtype, [columns, rows], bytes)
  }

  /// Copies the folder, each tensor changed or left out.
  package func writeFolder(
    in target: borrowing TemporaryFolder,
    _ change: (_ name: String, EncodedTensor) -> (name: String, tensor: EncodedTensor)?
  ) throws -> FilePath {
    var components: [String: [String: EncodedTensor]] = [:]
    for (key, view) in try TensorFile(opening: folder).tensors {
      guard let (name, tensor) = change(key, view.stored) else { continue }
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      components[parts[0], default: [:]][parts[1]] = tensor
    }
    for (component, tensors) in components {
      try target.write("\(name)/\(component)/model.safetensors", tensors)
    }
    for component in ["unet", "text_encoder", "text_encoder_2", "vae", "scheduler"] {
      for file in directoryEntries(folder.appending(component)) where file.hasSuffix(".json") {
        let text = try contents(of: folder.appending(component).appending(file))
        try target.write(
          "\(name)/\(component)/\(file)", text: String(decoding: text, as: UTF8.self))
      }
    }
    try target.write("\(name)/model_index.json", text: "{}")
    return target.file(name)
  }
}
