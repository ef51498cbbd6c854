import Glibc
import Machine
import Safetensors
import SystemPackage
import TestSupport
import Testing
import TorchFiles

/// What is not a safetensors file at all.
@Suite struct ForeignFileTests {
  @Test(arguments: [
    ("pickle-checkpoint", ForeignFormat.pickle, "torch.save did not write"),
    ("tar-checkpoint", .tar, "tar archive"),
    ("git-lfs-pointer", .gitLFSPointer, "git lfs pull"),
    ("web-page", .html, "web page"),
    ("text", .text, "found text"),
    ("gguf", .gguf, "GGUF"),
  ])
  func recognizesOtherFormats(_ file: String, _ format: ForeignFormat, _ words: String) {
    expectRejection("\(file).safetensors") { .foreign($0, format) }
    #expect(SafetensorsError.foreign("x", format).description.contains(words))
  }

  @Test func recognizesTorchFiles() {
    expectRejection("zip-checkpoint.safetensors") {
      .torch($0, .zipDirectory("no end record; the file is cut short"))
    }
  }

  private func error(opening path: FilePath) -> SafetensorsError? {
    #expect(throws: SafetensorsError.self) { try TensorFile(opening: path) }
  }

  @Test func rejectsMissingFile() {
    #expect(error(opening: "/no/such") == .io("/no/such", .open, .noSuchFileOrDirectory))
    #expect(
      SafetensorsError.io("/no/such", .open, .noSuchFileOrDirectory).description
        == "/no/such: cannot open: no such file or directory")
  }

  /// In a process of its own, because root may read everything and must first become nobody.
  @Test func rejectsUnreadableFile() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      chmod(folder.path.string, 0o755)
      let path = folder.file("secret.safetensors")
      close(open(path.string, O_CREAT | O_WRONLY, 0))
      if geteuid() == 0 { seteuid(65534) }
      let error = #expect(throws: SafetensorsError.self) { try TensorFile(opening: path) }
      #expect(error == .io(path, .open, .permissionDenied))
      if getuid() == 0 { seteuid(0) }
    }
  }

  /// Must not wait for a writer either.
  @Test func rejectsPipe() {
    let folder = TemporaryFolder()
    let path = folder.file("pipe.safetensors")
    #expect(mkfifo(path.string, 0o600) == 0)
    #expect(error(opening: path) == .notAFile(path, found: .fifo))
  }

  /// Cannot be opened at all.
  @Test func rejectsSocket() {
    let folder = TemporaryFolder()
    let path = folder.file("socket.safetensors")
    #expect(mknod(path.string, S_IFSOCK | 0o600, 0) == 0)
    #expect(error(opening: path) == .notAFile(path, found: .socket))
  }

  @Test func rejectsDevice() {
    #expect(error(opening: "/dev/null") == .notAFile("/dev/null", found: .device))
  }

  @Test func rejectsDanglingLink() {
    let folder = TemporaryFolder()
    let path = folder.file("link.safetensors")
    #expect(symlink("nowhere", path.string) == 0)
    #expect(error(opening: path) == .io(path, .open, .noSuchFileOrDirectory))
  }

  @Test func rejectsEmptyFolder() {
    let folder = TemporaryFolder()
    #expect(error(opening: folder.path) == .noWeights(folder.path))
  }

  /// Whatever a file holds, an error stays one line that a terminal can show.
  @Test func describesHostileNamesInOneLine() {
    let error = SafetensorsError.duplicateTensor(
      "x", tensor: "a\nb\u{1B}[31m\u{2028}" + String(repeating: "z", count: 1000))
    #expect(error.description.hasPrefix(#"x: tensor 'a\nb\u{1B}[31m\u{2028}z"#))
    #expect(error.description.count < 300)
  }
}
