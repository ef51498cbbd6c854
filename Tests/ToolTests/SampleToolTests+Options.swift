import Foundation
import SystemPackage
import TestSupport
import Testing

/// Options as people write them, on the command line and in prompts.
extension SampleToolTests {
  /// What a dry run says of the pictures.
  func planned(
    _ arguments: [String], in folder: borrowing TemporaryFolder
  ) throws -> [[String: Any]] {
    let run = sample(arguments + ["--dry_run", "--json"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    let report = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    return try #require(report?["pictures"] as? [[String: Any]])
  }

  /// A list, as kohya's scripts have it.
  @Test func modulesOfAdaptersAreAList() throws {
    let folder = TemporaryFolder()
    try writeAdapter("a", in: folder)
    try writeAdapter("b", in: folder)
    for adapters in [
      ["--network_module", "networks.lora", "networks.lora", "a.safetensors", "b.safetensors"],
      [
        "--network_module=lycoris.kohya", "--network_weights", "a.safetensors", "b.safetensors",
      ],
    ] {
      let run = sample(adapters + ["--prompt", "a", "--dry_run", "--quiet"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.errors.contains("'--network_module' has no effect"), "\(run.errors)")
      #expect(
        run.output.contains("with a.safetensors at 1.0, b.safetensors at 1.0"), "\(run.output)")
    }
  }

  /// The largest is exact, and -1 is no seed but a wish for one.
  @Test func seedsOfPrompts() throws {
    let folder = TemporaryFolder()
    try folder.write(
      "p.json", text: #"[{"prompt": "a", "seed": 9223372036854775807}, "b --d 9007199254740993"]"#)
    let exact = try planned(["--prompts", "p.json"], in: folder)
    #expect(
      exact.map { $0["seed"] as? UInt64 } == [9_223_372_036_854_775_807, 9_007_199_254_740_993])
    let drawn = try (0..<3).map { _ in
      try #require(planned(["--prompt", "a --d -1"], in: folder)[0]["seed"] as? UInt64)
    }
    // By chance once in 2⁶⁴.
    #expect(Set(drawn + [5]).count > 2, "\(drawn)")
  }

  @Test func whiteSpaceBeforeOptionsAndNamesOfWebUIs() throws {
    let folder = TemporaryFolder()
    let found = try planned(
      ["--prompt", "a\t--d 3", "--prompt", "b\u{A0}--d 4", "--prompt", "c --ss PLMS --s 9"],
      in: folder)
    #expect(found.map { $0["prompt"] as? String } == ["a", "b", "c"])
    #expect(found.map { $0["seed"] as? Int } == [3, 4, 5])
    #expect(found[2]["sampler"] as? String == "PNDM")
    let plan = try planned(["--prompt", "a", "--sampler", "plms", "--steps", "9"], in: folder)
    #expect(plan[0]["sampler"] as? String == "PNDM")
  }

  @Test(arguments: [
    ("a [cat:dog:0.5]", "'[cat:dog:0.5]' is read as text: a prompt does not change"),
    ("a [cat|dog]", "'[cat|dog]' is read as text"), ("a AND b", "'AND' is read as text"),
    ("a BREAK b", "'BREAK' is read as text"), ("a --n b BREAK", "'BREAK' is read as text"),
    ("an (and:1.2) [break] \\[a:b:1\\] BREAKING [a:b]", ""),
  ])
  func noticesSyntaxOfWebUIs(prompt: String, notice: String) throws {
    let folder = TemporaryFolder()
    let run = sample(["--prompt", prompt, "--dry_run"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    guard !notice.isEmpty else {
      #expect(!run.errors.contains("is read as text"), "\(run.errors)")
      return
    }
    #expect(run.errors.contains("note: '--prompt': \(notice)"), "\(run.errors)")
  }

  @Test(arguments: [
    (["--sampler", "pndm"], "'--sampler': sampler 'pndm': expected 4 to 1000 steps"),
    (["--prompts", "p.toml"], "p.toml: expected prompts in TOML ([prompt]), found JSON"),
    (["--prompts", "q.toml"], "q.toml: expected prompts in TOML ([prompt]), found JSON"),
    (["--clip_skip", "0"], "'--clip_skip': expected 1 or more, found 0"),
    (["--clip_skip", "-2"], "'--clip_skip': expected 1 or more, found -2"),
    (["--seed", "9223372036854775808"], "expected a whole number from 0 to 9223372036854775807"),
    (
      ["--prompt", "a --d 9223372036854775808"],
      "'--d': expected a whole number from 0 to 9223372036854775807"
    ),
    (["--prompt", "a --l 1001"], "'--l': expected a number from 0 to 1000, found '1001'"),
    (["a.safetensors", "--ratio", "1", "2"], "'--ratio': expected one value for one adapter"),
    (
      ["a.safetensors", "--te_ratio", "1", "2"],
      "'--te_ratio': expected one value for one adapter, found 2"
    ),
  ])
  func saysWhichOptionIsWrong(arguments: [String], says: String) throws {
    let folder = TemporaryFolder()
    try writeAdapter("a", in: folder)
    try folder.write("p.toml", text: #"[{"prompt": "a"}]"#)
    try folder.write("q.toml", text: "[\n  {\"prompt\": \"a\",}\n]")
    let run = sample(["--prompt", "a", "-o", "a.png"] + arguments, in: folder)
    #expect(run.status != 0)
    #expect(run.errors.contains(says), "\(run.errors)")
    #expect(!run.errors.contains("dataset"), "\(run.errors)")
    #expect(!folder.entries.contains("a.png"))
  }
}
