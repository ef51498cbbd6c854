import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Folders that ask for endless waiting, or for more than anybody has.
@Suite(.timeLimit(.minutes(60)))
struct HostileDatasetTests {
  @Test func pipesAreNoImages() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "a")
    #expect(mkfifo(folder.folder.file("b.png").string, 0o600) == 0)
    try folder.folder.write("b.caption", text: "b")
    #expect(
      message { _ = try folder.set() } == "\(folder.path)/b.png: expected a file, found a pipe")
  }

  @Test func pipesAreNoCaptions() throws {
    let folder = ImageFolder()
    try folder.image("a.png")
    #expect(mkfifo(folder.folder.file("a.caption").string, 0o600) == 0)
    #expect(
      message { _ = try folder.set() } == "\(folder.path)/a.caption: expected a file, found a pipe")
  }

  @Test func captionsAreShort() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: String(repeating: "a, ", count: 1_000_000))
    #expect(
      message { _ = try folder.set() }
        == "\(folder.path)/a.caption: expected at most 1 MiB, found 2 MiB")
  }

  /// Braces that nothing closes took the square of their number.
  @Test func bracesTakeLinearTime() {
    var settings = CaptionSettings()
    settings.usesWildcards = true
    let moment = CaptionPipeline.Moment(seed: 1, epoch: 0, sample: 0, step: 0, stepCount: 1)
    for unit in ["{a", "{", "{a}}"] {
      let text = String(repeating: unit, count: 100_000)
      let resolved = CaptionPipeline(settings).caption(text, at: moment)
      #expect(resolved.utf8.count <= text.utf8.count)
    }
    #expect(
      CaptionPipeline(settings).caption("a {b}}} {} {{c}} {d", at: moment) == "a b} {} {c} {d")
  }

  @Test func configurationsThatAreNoFiles() throws {
    let folder = TemporaryFolder()
    let pipe = folder.file("config.json")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    #expect(
      message { _ = try ModelConfigurationFile(pipe) } == "\(pipe): expected a file, found a pipe")
    try folder.write("large.json", text: "{\"num_hidden_layers\": 2147483648}")
    let text = message {
      _ = try ModelConfigurationFile(folder.file("large.json"))?
        .integers("num_hidden_layers", atMost: 1000)
    }
    #expect(
      text.hasSuffix(
        "'num_hidden_layers': expected a positive whole number of at most 1000, or a list of them"))
  }
}
