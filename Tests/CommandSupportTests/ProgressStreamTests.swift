import CommandSupport
import SystemPackage
import Testing

@Suite struct ProgressStreamTests {
  /// The lines that come out of a pipe into which records are written at once.
  private func lines(of records: [ProgressRecord]) throws -> [String] {
    let (reading, writing) = try FileDescriptor.pipe()
    let stream = ProgressStream(writing)
    for record in records { stream.write(record) }
    try writing.close()
    defer { try? reading.close() }
    let bytes = try [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = try reading.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func firstAndLastOfAnActivityAreToldWhateverTheTime() throws {
    let records = (1...1000).map { ProgressRecord("merging", completed: $0, total: 1000) }
    let told = try lines(of: records + [ProgressRecord("writing", completed: 1, total: 3)])
    #expect(told.first == #"{"activity":"merging","completed":1,"share":0.001,"total":1000}"#)
    #expect(told.contains(#"{"activity":"merging","completed":1000,"share":1,"total":1000}"#))
    #expect(told.last?.hasPrefix(#"{"activity":"writing""#) == true)
    // A thousand records take milliseconds; a second would have told ten more.
    #expect(told.count < 100)
  }

  @Test func numbersThatJSONCannotHoldAreLeftOut() throws {
    let record = ProgressRecord("training", completed: 1, total: 2, epoch: 3, loss: .nan, rate: 0.5)
    #expect(
      try lines(of: [record]) == [
        #"{"activity":"training","completed":1,"epoch":3,"lr":0.5,"share":0.5,"total":2}"#
      ])
  }
}
