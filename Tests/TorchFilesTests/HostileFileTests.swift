import Glibc
import Safetensors
import SystemPackage
import TestSupport
import Testing
import TorchFiles

/// Files made to harm whoever opens them: each is refused, in one line, for the reason it is there
/// for, and nothing in it is run. How long that takes is measured by `scripts/fuzz/time-failures.sh`.
@Suite struct HostileFileTests {
  static let folder = Fixtures.path("hostile")
  static let names = directoryEntries(folder).map { String($0.dropLast(".pt".count)) }

  static func refusal(of name: String) -> TorchFileError? {
    let path = folder.appending("\(name).pt")
    let error = #expect(throws: SafetensorsError.self, "\(name)") {
      try TensorFile(opening: path)
    }
    guard case .torch(path, let reason) = error else {
      Issue.record("\(name): \(String(describing: error))")
      return nil
    }
    return reason
  }

  @Test func thereAreFiles() { #expect(Self.names.count > 150) }

  @Test(arguments: names)
  func refusesInOneLine(_ name: String) throws {
    let error = try #require(Self.refusal(of: name))
    let line = SafetensorsError.torch("x.pt", error).description
    #expect(line.hasPrefix("x.pt: "))
    #expect(line.count < 400)
    for scalar in line.unicodeScalars {
      let category = scalar.properties.generalCategory
      #expect(category != .control && category != .lineSeparator, "\(name)")
    }
    // What the programs in these files would have made.
    #expect(access("/tmp/lyco-hostile", F_OK) != 0)
  }

  /// What would be called is named.
  @Test func namesGlobals() {
    for name in Self.names where name.hasPrefix("global-") || name.hasPrefix("os-system") {
      guard case .global? = Self.refusal(of: name) else {
        Issue.record("\(name) is not refused for its global")
        continue
      }
    }
    for protocolVersion in 2...5 {
      #expect(Self.refusal(of: "os-system-protocol-\(protocolVersion)") == .global("posix.system"))
    }
    #expect(Self.refusal(of: "os-system-legacy") == .global("posix.system"))
    #expect(Self.refusal(of: "eval") == .global("__builtin__.eval"))
    #expect(Self.refusal(of: "exec") == .global("builtins.exec"))
    // `sys.modules` as Python 2 named them.
    #expect(Self.refusal(of: "subprocess") == .global("commands.check_output"))
    // Not even where its value would be passed over.
    #expect(Self.refusal(of: "global-hidden-in-ignored") == .global("os.system"))
    #expect(Self.refusal(of: "persistent-module") == .unsupported(.pickledModule))
  }

  @Test func namesOperations() {
    for name in Self.names where name.hasPrefix("operation-") {
      let code = UInt8(name.suffix(2), radix: 16)
      #expect(Self.refusal(of: name) == code.map { .opcode($0, offset: 10) })
    }
    let line = TorchFileError.opcode(0x69, offset: 10).description
    #expect(line.hasPrefix("pickle: operation INST at byte 10 is none that a state dict needs"))
  }

  @Test(arguments: [
    ("deep-lists", "levels of nesting"), ("deep-tuples", "levels of nesting"),
    ("deep-dicts", "levels of nesting"), ("recursive-list", "levels of nesting"),
    ("recursive-dict", "levels of nesting"), ("recursive-twice", "levels of nesting"),
    ("memo-bomb", "bytes in names"), ("memo-bomb-of-tensors", "bytes in names"),
    ("long-names", "bytes in a name"),
  ])
  func boundsNestingAndSharing(_ name: String, _ what: String) {
    guard case .limit(let found, _)? = Self.refusal(of: name) else {
      Issue.record("\(name) is not refused for its size")
      return
    }
    #expect(found == what)
  }

  @Test func checksTensorsAgainstTheirStorage() {
    let cases: [String: TorchFileError.TensorFault] = [
      "huge-shape": .layout(shape: [1 << 40, 1 << 40], strides: [1 << 40, 1], offset: 0),
      "negative-stride": .layout(shape: [4], strides: [-1], offset: 3),
      "negative-extent": .layout(shape: [-1], strides: [1], offset: 0),
      "negative-offset": .layout(shape: [4], strides: [1], offset: -1),
      "strides-missing": .layout(shape: [2, 2], strides: [1], offset: 0),
      "beyond-storage": .beyondStorage(shape: [5], strides: [1], offset: 0, elements: 4),
      "offset-beyond-storage": .beyondStorage(shape: [4], strides: [1], offset: 1, elements: 4),
      "strides-beyond-storage":
        .beyondStorage(shape: [2, 2], strides: [3, 1], offset: 0, elements: 4),
      "storage-claims-more": .storageSize(key: "0", expected: 4 << 30, found: 16),
      "storage-missing": .missingStorage(key: "1"), "lazy-conjugate": .lazyView,
      "name-twice": .twice,
    ]
    for (name, fault) in cases { #expect(Self.refusal(of: name) == .tensor("a", fault)) }
    #expect(Self.refusal(of: "storage-twice") == .storageConflict(key: "0"))
    #expect(Self.refusal(of: "storage-two-formats") == .storageConflict(key: "0"))
    for name in ["stride-0-giant", "stride-0-larger-than-file", "gathered-100-times"] {
      guard case .tensor(_, .tooLarge)? = Self.refusal(of: name) else {
        Issue.record("\(name) is not refused for its size")
        continue
      }
    }
    #expect(
      Self.refusal(of: "legacy-storage-claims-more")
        == .storageCount(key: "0", expected: 1 << 40, found: 4))
  }

  @Test func checksArchives() {
    func entry(_ name: String, _ fault: TorchFileError.ZipFault) -> TorchFileError {
      .zipEntry("archive/\(name)", fault)
    }
    let cases: [String: TorchFileError] = [
      "zip-bomb": entry("data/0", .compressed(method: 8)),
      "zip-bomb-pickle": entry("data.pkl", .compressed(method: 8)),
      "zip-claims-2-40": entry("data/0", .beyondEnd(size: 1 << 40, available: 16)),
      "zip-encrypted": entry("data/0", .encrypted), "zip-entry-twice": entry("data/0", .twice),
      "zip-pickle-twice": entry("data.pkl", .twice),
      "zip-entry-in-entry": entry("data/1", .overlaps("archive/data/0")),
      "zip-torchscript": .unsupported(.torchScript), "zip-big-endian": .unsupported(.bigEndian),
      "legacy-big-endian": .unsupported(.bigEndian),
      "zip-without-pickle": .unsupported(.otherZip),
      "zip-count-65534": .zipDirectory("65534 entries in 62 bytes"),
    ]
    for (name, error) in cases { #expect(Self.refusal(of: name) == error, "\(name)") }
  }
}
