import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Training

@Suite struct LogTests {
  private func bytes(_ path: FilePath) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path.string)))
  }

  /// RFC 3720, B.4.
  @Test func checksumIsThatOfTheStandard() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(0..<32 as Range<UInt8>) == 0x46DD_794E)
  }

  /// The bytes that tensorboard's own writer makes of the same events.
  @Test func eventsAreThoseOfTensorBoard() throws {
    var expected: [UInt8] = EventRecord.version(at: 1_700_000_000.25).bytes
    for (step, tag, value) in [
      (0, "loss/current", 0.125), (1, "loss/average", 1e-3), (300, "lr/d*lr/unet", 12.5),
      (1 << 40, "loss/current", -0.1),
    ] as [(Int, String, Float)] {
      expected +=
        EventRecord.scalar(tag, value, step: step, at: 1_700_000_001.5 + Double(step)).bytes
    }
    let picture = EventPicture(width: 2, height: 300, png: Array(0..<200))
    expected += EventRecord.picture("sample/00", picture, step: 8, at: 1_700_000_009.5).bytes
    #expect(try bytes(Fixtures.path("training/numerics/events.tfevents")) == expected)
  }

  @Test func eventLogIsWrittenAsItGoes() throws {
    let folder = TemporaryFolder()
    let run = EventLog.runFolder(
      folder.path, prefix: "try-", tracker: "network_train", at: 1_700_000_000)
    #expect(run.lastComponent?.string == "network_train")
    let parent = try #require(run.removingLastComponent().lastComponent?.string)
    #expect(parent.hasPrefix("try-2023111") && parent.count == "try-".count + 14)
    let log = try EventLog(in: run, at: 1_700_000_000)
    try log.append([("loss/current", 0.5), ("lr/unet", 1e-4)], step: 3, at: 1_700_000_001)
    let expected =
      EventRecord.version(at: 1_700_000_000).bytes
      + EventRecord.scalar("loss/current", 0.5, step: 3, at: 1_700_000_001).bytes
      + EventRecord.scalar("lr/unet", 1e-4, step: 3, at: 1_700_000_001).bytes
    #expect(try bytes(log.path) == expected)
    #expect(log.path.lastComponent?.string.hasPrefix("events.out.tfevents.1700000000.") == true)
  }

  @Test func folderThatCannotBeMadeIsNamed() throws {
    let folder = TemporaryFolder()
    let file = folder.file("file")
    try "x".write(toFile: file.string, atomically: true, encoding: .utf8)
    let error = #expect(throws: LogError.self) { try EventLog(in: file.appending("logs")) }
    #expect(error?.description.hasPrefix("\(file)/logs/events.out") == true)
  }

  /// A run that begins has a table of its own; one that goes on from a state has each step once.
  @Test func tablesHoldEachStepOnce() throws {
    let folder = TemporaryFolder()
    let path = folder.file("log.csv")
    let columns = ["loss/current", "lr/unet, plus"]
    let header = "step,epoch,loss/current,\"lr/unet, plus\"\n"
    func write(_ steps: [Int], after step: Int? = nil, _ columns: [String]) throws -> String {
      let log = try TableLog(path, columns: columns, after: step)
      for step in steps { try log.append([(columns[0], 0.1)], step: step, epoch: 1) }
      return try String(contentsOfFile: path.string, encoding: .utf8)
    }
    func rows(_ steps: [Int]) -> String { header + steps.map { "\($0),1,0.1,\n" }.joined() }
    #expect(try write([1, 2, 3], columns) == rows([1, 2, 3]))
    #expect(try write([4], after: 3, columns) == rows([1, 2, 3, 4]))
    #expect(try write([3, 4, 5], after: 2, columns) == rows([1, 2, 3, 4, 5]))
    // Where steps are missing, others stay; so do rows of one step.
    #expect(try write([8, 8], after: 7, columns) == rows([1, 2, 3, 4, 5, 8, 8]))
    #expect(try write([9], after: 8, columns) == rows([1, 2, 3, 4, 5, 8, 8, 9]))
    // A run that was killed while it wrote.
    try folder.write("log.csv", text: rows([1, 2]) + "3,1,0.")
    #expect(try write([3], after: 7, columns) == rows([1, 2, 3]))
    #expect(try write([1], columns) == rows([1]))
    #expect(try write([3], after: 2, ["loss/average"]) == "step,epoch,loss/average\n3,1,0.1\n")
    try folder.write("log.csv", text: String(header.dropLast()))
    #expect(try write([3], after: 2, columns) == rows([3]))
    // Longer than what is read at once.
    #expect(try write(Array(1...20_000), columns) == rows(Array(1...20_000)))
    #expect(try write([12_001], after: 12_000, columns) == rows(Array(1...12_001)))
  }

  /// A pipe without a reader is an error, not a wait without end.
  @Test func pipesWithoutAReaderAreErrors() throws {
    let folder = TemporaryFolder()
    let path = folder.file("pipe")
    #expect(mkfifo(path.string, 0o600) == 0)
    let error = #expect(throws: LogError.self) { try TableLog(path, columns: ["loss/current"]) }
    #expect(error?.description.hasPrefix("\(path)") == true)
  }

  @Test func namesAreThoseOfTheField() {
    let log = StepLog(
      loss: 0.5, averageLoss: 0.25, rates: [("textencoder", 1), ("unet", 0.5), ("unet plus", 2)],
      adaptedRate: 0.01, norms: StepLog.Norms(scaledCount: 3, average: 0.1, largest: 0.9),
      gradientNorm: 2)
    #expect(
      log.scalars.map(\.tag) == [
        "loss/current", "loss/average", "max_norm/keys_scaled", "max_norm/average_key_norm",
        "max_norm/max_key_norm", "norm/grad_norm", "lr/textencoder", "lr/d*lr/textencoder",
        "lr/unet",
        "lr/d*lr/unet", "lr/unet plus", "lr/d*lr/unet plus",
      ])
    #expect(log.scalars.last?.value == 0.02)
  }
}
