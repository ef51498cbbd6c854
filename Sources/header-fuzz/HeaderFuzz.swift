import Safetensors
import SystemPackage
import Tensors

/// The entry point that libFuzzer calls: whatever the bytes, opening must end in a value or an
/// error with a one-line description. See `scripts/fuzz/fuzz-header.sh`.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe UnsafeBufferPointer(start: start, count: count).span
  let file: FilePath = "input.safetensors"
  do {
    let header = try Header(parsing: bytes, of: file)
    var end = 0
    for entry in header.entries {
      precondition(entry.range.lowerBound == end, "a hole before '\(entry.name)'")
      precondition(
        entry.range.count * 8 == entry.shape.count * entry.dtype.bitsPerElement,
        "\(entry.range.count) bytes for \(entry.dtype) \(entry.shape)")
      end = entry.range.upperBound
      _ = (entry.shape.rows, entry.shape.columns)
    }
    precondition(header.dataStart + end == count, "\(count) bytes, checked to \(end)")
  } catch {
    precondition(!error.description.contains("\n"), "an error of several lines")
  }
  // The same bytes without length and data, as JSON is harder to reach behind them.
  if let header = try? Header(json: bytes, of: file) { _ = header.metadata.count }
  do {
    _ = try ShardIndex(json: bytes, of: file)
  } catch {
    precondition(!error.description.contains("\n"), "an error of several lines")
  }
  return 0
}
