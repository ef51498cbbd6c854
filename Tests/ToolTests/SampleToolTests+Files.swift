import Foundation
import Images
import SystemPackage
import TestSupport
import Testing

/// What pictures take the place of, and what stays.
extension SampleToolTests {
  /// A preview is of the run: what was there before it stays, whether the run is refused, fails or draws.
  @Test func previewsRemoveNothingOfOthers() throws {
    let folder = TemporaryFolder()
    try folder.write("a-preview.png", text: "mine")
    let refused = sample(["--prompt", "a", "-o", "a.png", "--preview", "1"], in: folder)
    #expect(refused.status == 64)
    #expect(
      refused.errors.contains("a-preview.png: it is there already; '--overwrite' replaces it"))
    #expect(folder.entries == ["a-preview.png"])
    // No step is a multiple of nine.
    let unwritten = sample(
      ["--prompt", "a", "-o", "a.png", "--preview", "9", "--overwrite"], in: folder)
    #expect(unwritten.status == 0, "\(unwritten.errors)")
    #expect(try contents(of: folder.file("a-preview.png")) == Array("mine".utf8))
    let same = sample(
      ["--prompt", "a", "-o", "a.png", "--grid", "a-preview.png", "--preview", "1"], in: folder)
    #expect(same.status == 64)
    #expect(same.errors.contains("a-preview.png: expected a place of its own"), "\(same.errors)")
    #expect(try contents(of: folder.file("a-preview.png")) == Array("mine".utf8))
    let replaced = sample(
      ["--prompt", "a", "-o", "a.png", "--preview", "1", "--overwrite"], in: folder)
    #expect(replaced.status == 0, "\(replaced.errors)")
    #expect(folder.entries == ["a.png"])
  }

  /// By a link, whose file would be replaced, and as the name that a folder or a preview gives.
  @Test(arguments: [
    (["-o", "base.png"], "base.png"), (["-o", "x.png", "--grid", "style.png"], "style.png"),
    (["-o", "out/"], "out/sample-000.png"),
    (["--grid", "prompts.png", "--prompts", "prompts.txt"], "prompts.png"),
    (["-o", "style.png", "--dry_run"], "style.png"),
    (["-o", "x.png", "--preview", "1"], "x-preview.png"),
  ])
  func inputsAreNotReplaced(arguments: [String], output: String) throws {
    let folder = TemporaryFolder()
    let style = try writeAdapter("style", in: folder)
    try folder.write("prompts.txt", text: "a bag\n")
    let manager = FileManager.default
    let copy = folder.file("base").string
    try manager.copyItem(atPath: Fixtures.path("training/tiny").string, toPath: copy)
    try manager.createDirectory(
      atPath: folder.file("out").string, withIntermediateDirectories: true)
    let weights = "\(copy)/unet/diffusion_pytorch_model.safetensors"
    for (name, target) in [
      ("base.png", weights), ("style.png", style.string), ("x-preview.png", style.string),
      ("out/sample-000.png", style.string), ("prompts.png", folder.file("prompts.txt").string),
    ] {
      try manager.createSymbolicLink(
        atPath: folder.file(name).string, withDestinationPath: target)
    }
    let inputs = [FilePath(weights), style, folder.file("prompts.txt")]
    let before = try inputs.map { try contents(of: $0) }
    let run = sample(
      ["--base", "base", "style.safetensors", "--prompt", "a", "--overwrite"] + arguments,
      in: folder)
    #expect(run.status == 64, "\(run.errors)")
    #expect(
      run.errors.contains("\(output): expected an output that is no input"), "\(run.errors)")
    #expect(try inputs.map { try contents(of: $0) } == before)
  }

  @Test func picturesInAFolderAreNotReplaced() throws {
    let folder = TemporaryFolder()
    let first = sample(["--prompt", "a bag", "-o", "out/"], in: folder)
    #expect(first.status == 0, "\(first.errors)")
    let before = try contents(of: folder.file("out/sample-000.png"))
    let arguments = ["--prompt", "a shirt", "--seed", "6", "-o", "out/"]
    let refused = sample(arguments, in: folder)
    #expect(refused.status == 64)
    #expect(
      refused.errors.contains("out/sample-000.png: it is there already; '--overwrite' replaces it"))
    #expect(try contents(of: folder.file("out/sample-000.png")) == before)
    let replaced = sample(arguments + ["--overwrite"], in: folder)
    #expect(replaced.status == 0, "\(replaced.errors)")
    #expect(try contents(of: folder.file("out/sample-000.png")) != before)
  }
}
