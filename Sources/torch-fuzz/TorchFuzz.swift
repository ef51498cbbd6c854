import Tensors
import TorchFiles

/// The entry point that libFuzzer calls: whatever the bytes, reading must end in tensors that lie in
/// the file or in an error with a one-line description. See `scripts/fuzz/fuzz-torch.sh`.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe UnsafeBufferPointer(start: start, count: count).span
  check(bytes)
  // The same bytes as the pickle of a sound archive, as changes to an archive seldom leave it sound.
  let archive = Archive.holding(bytes)
  check(archive.span)
  return 0
}

private func check(_ bytes: Span<UInt8>) {
  do {
    let file = try TorchFile(parsing: bytes)
    precondition(Set(file.tensors.map(\.name)).count == file.tensors.count, "a name twice")
    for tensor in file.tensors {
      precondition(tensor.byteCount * 8 == tensor.shape.count * tensor.dtype.bitsPerElement)
      if let range = tensor.range {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "outside the file")
        precondition(range.count == tensor.byteCount, "\(range.count) bytes for \(tensor.shape)")
      } else {
        precondition(tensor.gathered(from: bytes).count == tensor.byteCount)
      }
      _ = (tensor.shape.rows, tensor.shape.columns)
    }
  } catch {
    precondition(!error.description.contains("\n"), "an error of several lines")
  }
}

/// A sound archive of a pickle and of one storage of 64 bytes, `0`.
private enum Archive {
  static func holding(_ pickle: Span<UInt8>) -> [UInt8] {
    var (bytes, directory) = ([UInt8](), [UInt8]())
    let pickle = pickle.indices.map { pickle[$0] }
    for (name, data) in [("a/data.pkl", pickle), ("a/data/0", [UInt8](repeating: 1, count: 64))] {
      // Version, flags, method, time, date, checksum; none of them matters.
      let common =
        [UInt8](repeating: 0, count: 14) + number(data.count, 4) + number(data.count, 4)
        + number(name.utf8.count, 2) + [0, 0]
      directory += [0x50, 0x4B, 1, 2, 0, 0] + common
      directory += [UInt8](repeating: 0, count: 10) + number(bytes.count, 4) + name.utf8
      bytes += [0x50, 0x4B, 3, 4] + common + name.utf8 + data
    }
    let end =
      [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 2, 0, 2, 0] + number(directory.count, 4)
      + number(bytes.count, 4) + [0, 0]
    return bytes + directory + end
  }

  private static func number(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
