import Foundation
package import SystemPackage

/// A checkpoint of real names and shapes whose data is a hole in the file.
package enum SparseCheckpoint {
  /// Writes one, all of F16, from a key list in `Fixtures/families`.
  package static func write(
    _ list: String, in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    let source = Fixtures.path("families/\(list).txt")
    let lines = try String(contentsOfFile: source.string, encoding: .utf8).split(separator: "\n")
    return try write(
      list + ".safetensors",
      lines.map { line in
        let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
        return (String(columns[0]), columns[1].split(separator: "x").compactMap { Int($0) })
      }, in: folder)
  }

  /// Writes one, all of F16, of the names and shapes given.
  package static func write(
    _ name: String, _ tensors: [(name: String, shape: [Int])], in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    var entries: [String] = []
    var offset = 0
    for (tensor, shape) in tensors {
      let end = offset + 2 * shape.reduce(1, *)
      let extents = shape.map(String.init).joined(separator: ",")
      entries.append(
        "\"\(tensor)\":{\"dtype\":\"F16\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array(("{" + entries.joined(separator: ",") + "}").utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    let path = folder.file(name)
    try Data(length + header).write(to: URL(filePath: path.string))
    let file = try FileHandle(forWritingTo: URL(filePath: path.string))
    try file.truncate(atOffset: UInt64(8 + header.count + offset))
    try file.close()
    return path
  }
}
