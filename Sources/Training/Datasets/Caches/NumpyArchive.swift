import Safetensors
package import SystemPackage

/// Named arrays in one file, numpy's `.npz`: a zip archive of `.npy` files, stored as they are.
package struct NumpyArchive: Sendable {
  package var arrays: [(name: String, array: NumpyArray)]

  package init(_ arrays: [(name: String, array: NumpyArray)]) { self.arrays = arrays }

  package subscript(_ name: String) -> NumpyArray? { arrays.first { $0.name == name }?.array }

  /// Signatures of zip's records.
  private static let (local, central, end): (UInt32, UInt32, UInt32) = (
    0x0403_4B50, 0x0201_4B50, 0x0605_4B50
  )

  /// What is expected of a file that is damaged.
  static let format = "numpy's format"

  // MARK: Reading

  /// - Throws: `DatasetError.io`, `.cache`
  package init(reading path: FilePath) throws(DatasetError) {
    let bytes = try Self.bytes(of: path)
    func fault(_ text: String) -> DatasetError {
      .cache(path, expected: Self.format, found: text)
    }
    func number(_ offset: Int, _ width: Int) -> Int {
      (0..<width).reversed().reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
    }
    // The record at the end may have a comment behind it.
    var record = bytes.count - 22
    while record >= 0, number(record, 4) != Int(Self.end) { record -= 1 }
    guard record >= 0, bytes.count - record < 22 + 0x10000 else {
      throw fault("no archive, or one that is cut short")
    }
    var arrays: [(name: String, array: NumpyArray)] = []
    var position = number(record + 16, 4)
    // Entries that share their bytes could stand for many times what the file holds.
    var total = 0
    for _ in 0..<number(record + 10, 2) {
      guard position + 46 <= record, number(position, 4) == Int(Self.central) else {
        throw fault("a broken list of arrays")
      }
      let (method, sum) = (number(position + 10, 2), number(position + 16, 4))
      let (packed, size) = (number(position + 20, 4), number(position + 24, 4))
      let (nameLength, extra) = (number(position + 28, 2), number(position + 30, 2))
      let (comment, start) = (number(position + 32, 2), number(position + 42, 4))
      guard position + 46 + nameLength <= record, start + 30 <= record,
        number(start, 4) == Int(Self.local)
      else { throw fault("a broken list of arrays") }
      let name = String(
        decoding: bytes[position + 46..<position + 46 + nameLength], as: UTF8.self)
      guard method == 0 else {
        throw .cache(
          path, expected: "arrays as they are",
          found: "compressed ones, as numpy's savez_compressed writes them")
      }
      // Caches are far below the 4 GB from which on sizes stand elsewhere.
      let data = start + 30 + number(start + 26, 2) + number(start + 28, 2)
      guard packed == size, data + size <= record else {
        throw fault("array '\(name)' cut short")
      }
      total += size
      guard total <= record else { throw fault("arrays that overlap") }
      let stored = Array(bytes[data..<data + size])
      guard CyclicRedundancy.sum(stored) == UInt32(sum) else {
        throw fault("array '\(name)' with a wrong checksum")
      }
      var text = ""
      guard let array = NumpyArray(file: stored, fault: &text) else {
        throw fault("'\(name)': \(text)")
      }
      arrays.append((name.hasSuffix(".npy") ? String(name.dropLast(4)) : name, array))
      position += 46 + nameLength + extra + comment
    }
    self.arrays = arrays
  }

  private static func bytes(of path: FilePath) throws(DatasetError) -> [UInt8] {
    do {
      let file = try MappedFile(path)
      let bytes = file.bytes
      return unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    } catch {
      throw .wrapped(error, path)
    }
  }

  // MARK: Writing

  /// The bytes of the file.
  var file: [UInt8] {
    var (file, list): ([UInt8], [UInt8]) = ([], [])
    for (name, array) in arrays {
      let (name, content) = (Array("\(name).npy".utf8), array.file)
      let start = file.count
      // Version 2.0; no flags; stored; 1 January 1980, so that equal arrays give equal files.
      let fields =
        Self.little(20, 2) + Self.little(0, 2) + Self.little(0, 2) + Self.little(0, 2)
        + Self.little(0x21, 2) + Self.little(Int(CyclicRedundancy.sum(content)), 4)
        + Self.little(content.count, 4) + Self.little(content.count, 4)
        + Self.little(name.count, 2) + Self.little(0, 2)
      file += Self.little(Int(Self.local), 4) + fields + name + content
      list += Self.little(Int(Self.central), 4) + Self.little(20, 2) + fields
      list += [UInt8](repeating: 0, count: 10) + Self.little(start, 4) + name
    }
    let start = file.count
    file += list
    file += Self.little(Int(Self.end), 4) + Self.little(0, 4)
    file += Self.little(arrays.count, 2) + Self.little(arrays.count, 2)
    file += Self.little(list.count, 4) + Self.little(start, 4) + Self.little(0, 2)
    return file
  }

  private static func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  /// Writes the file, which appears whole or not at all.
  /// - Throws: `DatasetError.file`
  package func write(to path: FilePath) throws(DatasetError) {
    do throws(SafetensorsError) {
      var set = OutputSet()
      try set.add(file, at: path)
      try set.commit()
    } catch {
      throw .wrapped(error, path)
    }
  }
}
