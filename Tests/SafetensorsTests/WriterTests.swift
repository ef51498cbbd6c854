import Glibc
import Machine
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@Suite struct WriterTests {
  /// The bytes of the reference implementation are the truth.
  @Test(arguments: ["every-dtype", "names", "shapes", "no-tensors", "only-metadata"])
  func writesWhatTheReferenceWrites(_ name: String) throws {
    let folder = TemporaryFolder()
    let original = Fixtures.path("safetensors/\(name).safetensors")
    let file = try TensorFile(opening: original)
    let copy = folder.file("copy.safetensors")
    try save(tensors(of: file), to: copy, metadata: file.metadata)
    #expect(contents(copy) == contents(original))
    #expect(folder.entries == ["copy.safetensors"])
  }

  /// As deep as a path can be, in calls and time by the depth alone.
  @Test(.timeLimit(.minutes(1))) func makesFoldersOfAnyDepth() throws {
    let folder = TemporaryFolder()
    let path = folder.file(String(repeating: "a/", count: 2000) + "b")
    do {
      let folders = MadeFolders()
      try folders.make(path)
      #expect(path.kind == .folder)
    }
    #expect(folder.entries == [])
  }

  @Test func roundTripsEveryDType() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    let tensors = Dictionary(
      uniqueKeysWithValues: DType.allCases.map { dtype in
        (
          TensorInfo(name: dtype.rawValue, dtype: dtype, shape: [2, 4]),
          (0..<dtype.bitsPerElement).map { UInt8($0) }
        )
      })
    let metadata = ["z": "\"quoted\"\n", "a": "😀\u{1}", "": ""]
    try save(tensors, to: path, metadata: metadata)
    let file = try TensorFile(opening: path)
    #expect(SafetensorsTests.tensors(of: file) == tensors)
    #expect(file.metadata == metadata)
    #expect(Array(file.tensors.keys) == DType.allCases.reversed().map(\.rawValue))
  }

  /// Equal input, equal bytes, whatever the order in which dictionaries hand it out.
  @Test func isDeterministic() throws {
    let folder = TemporaryFolder()
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("key \($0)", "\($0)") })
    var files: Set<[UInt8]> = []
    for i in 0..<4 {
      let path = folder.file("\(i).safetensors")
      var shuffled: [String: String] = [:]
      for (key, value) in metadata.shuffled() { shuffled[key] = value }
      try save(sample("b", "a", "c"), to: path, metadata: shuffled)
      files.insert(contents(path))
    }
    #expect(files.count == 1)
  }

  @Test func leavesNothingWhenAbandoned() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    try save(sample("old"), to: path)
    do {
      var writer = try SafetensorsWriter.create(
        path, announcing: Array(sample("a", "b").keys), metadata: [:])
      try writer.append("a", [UInt8](repeating: 0, count: 4).span.bytes)
      _ = consume writer
    }
    #expect(folder.entries == ["x.safetensors"])
    #expect(try TensorFile(opening: path).tensors.keys == ["old"])
  }

  @Test func leavesNothingWhenKilled() async throws {
    let folder = TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path.string as String] in
      try killedWhileWriting(to: FilePath(path).appending("x.safetensors"))
    }
    #expect(folder.entries == ["x.safetensors"])
    #expect(try TensorFile(opening: folder.file("x.safetensors")).tensors.keys == ["old"])
  }

  /// A limit on the file's size fails a write as a full disk does.
  @Test func leavesTheOldFileWhenTheDiskIsFull() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      let path = folder.file("x.safetensors")
      try save(sample("old"), to: path)
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let error = #expect(throws: SafetensorsError.self) {
        try save(sample("new", count: 1 << 20), to: path)
      }
      #expect(error == .io(path, .write, .fileTooLarge))
      #expect(folder.entries == ["x.safetensors"])
      #expect(try TensorFile(opening: path).tensors.keys == ["old"])
    }
  }

  @Test func refusesWhatTheDiskCannotHold() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    let error = #expect(throws: SafetensorsError.self) {
      _ = try SafetensorsWriter.create(
        path, announcing: [TensorInfo(name: "a", dtype: .u8, shape: [1 << 59])], metadata: [:])
    }
    guard case .noSpace(path, let needed, let available)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(needed > 1 << 59 && available < 1 << 59)
    #expect(folder.entries.isEmpty)
  }

  /// The new file is another inode, so what is mapped stays as it was.
  @Test func replacesAFileThatIsBeingRead() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    try save(sample("a", count: 100_000), to: path)
    let file = try TensorFile(opening: path)
    var writer = try SafetensorsWriter.create(
      path, announcing: file.tensors.values.map(\.info), metadata: ["new": "yes"])
    for tensor in writer.order {
      guard let view = file.tensors[tensor.name] else { continue }
      try writer.append(tensor.name, view.bytes)
    }
    try writer.finish()
    let new = try TensorFile(opening: path)
    #expect(new.metadata == ["new": "yes"] && file.metadata.isEmpty)
    #expect(octets(new.tensors["a"]) == octets(file.tensors["a"]))
    #expect(folder.entries == ["x.safetensors"])
  }

  @Test func keepsPermissions() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    var status = stat()
    try save(sample("a"), to: path)
    stat(path.string, &status)
    let mask = umask(0)
    umask(mask)
    #expect(status.st_mode & 0o777 == 0o666 & ~mask)
    chmod(path.string, 0o640)
    try save(sample("b"), to: path)
    stat(path.string, &status)
    #expect(status.st_mode & 0o777 == 0o640)
  }

  @Test func writesThroughALink() throws {
    let folder = TemporaryFolder()
    mkdir(folder.file("elsewhere").string, 0o700)
    let link = folder.file("link.safetensors")
    symlink("elsewhere/real.safetensors", link.string)
    for name in ["a", "b"] {  // the link dangles at first
      try save(sample(name), to: link)
      let file = try TensorFile(opening: folder.file("elsewhere/real.safetensors"))
      #expect(file.tensors.keys == [name])
    }
    #expect(directoryEntries(folder.file("elsewhere")) == ["real.safetensors"])
    #expect(folder.entries == ["elsewhere", "link.safetensors"])
  }

  @Test func refusesTargetsThatAreNoFiles() throws {
    let folder = TemporaryFolder()
    for (path, kind) in [(folder.path, FileKind.folder), ("/dev/null", .device)] {
      let error = #expect(throws: SafetensorsError.self) { try save(sample("a"), to: path) }
      #expect(error == .notAFile(path, found: kind))
    }
    let index = folder.file("y.safetensors.index.json")
    mkdir(index.string, 0o700)
    let early = #expect(throws: SafetensorsError.self) {
      _ = try SafetensorsWriter.create(
        folder.file("y.safetensors"), announcing: Array(sample("a", "b").keys), metadata: [:],
        shardSize: 4)
    }
    #expect(early == .notAFile(index, found: .folder))
    let path = folder.file("no/such/x.safetensors")
    let error = #expect(throws: SafetensorsError.self) { try save(sample("a"), to: path) }
    #expect(error == .io(path, .create, .noSuchFileOrDirectory))
    let loop = folder.file("loop.safetensors")
    symlink("loop.safetensors", loop.string)
    let tooMany = #expect(throws: SafetensorsError.self) { try save(sample("a"), to: loop) }
    #expect(tooMany == .io(loop, .create, .tooManySymbolicLinkLevels))
  }

  /// Where a file cannot be without a name it is a hidden sibling, which must go too.
  @Test func replacesThroughAHiddenSibling() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    for text in ["one", "two"] {
      let abandoned = try PendingFile(path, named: true)
      #expect(folder.entries.contains { $0.hasPrefix(".lyco-") })
      let pending = try PendingFile(path, named: true)
      _ = try pending.file.writeAll(text.utf8)
      try pending.commit()
      #expect(contents(path) == Array(text.utf8))
      withExtendedLifetime(abandoned) {}
    }
    #expect(folder.entries == ["x.safetensors"])
  }

  @Test func trapsOnWrongUse() async {
    await #expect(processExitsWith: .failure) { try appendWrongly("b", count: 4) }
    await #expect(processExitsWith: .failure) { try appendWrongly("c", count: 4) }
    await #expect(processExitsWith: .failure) { try appendWrongly("a", count: 5) }
    await #expect(processExitsWith: .failure) { try finishTooEarly() }
  }
}

private func killedWhileWriting(to path: FilePath) throws {
  try save(sample("old"), to: path)
  var writer = try SafetensorsWriter.create(
    path, announcing: Array(sample("a", "b", count: 1 << 20).keys), metadata: [:])
  try writer.append("a", [UInt8](repeating: 0, count: 1 << 20).span.bytes)
  kill(getpid(), SIGKILL)
  try writer.finish()
}

private func appendWrongly(_ name: String, count: Int) throws {
  let folder = TemporaryFolder()
  var writer = try SafetensorsWriter.create(
    folder.file("x.safetensors"), announcing: Array(sample("a", "b").keys), metadata: [:])
  try writer.append(name, [UInt8](repeating: 0, count: count).span.bytes)
}

private func finishTooEarly() throws {
  let folder = TemporaryFolder()
  var writer = try SafetensorsWriter.create(
    folder.file("x.safetensors"), announcing: Array(sample("a").keys), metadata: [:])
  try writer.append("a", [UInt8](repeating: 0, count: 3).span.bytes)
  try writer.finish()
}
