import Sampling
import SystemPackage
import TestSupport
import Testing

@Suite struct PromptFileTests {
  private func read(_ text: String, _ name: String) throws -> PromptFile {
    let folder = TemporaryFolder()
    return try PromptFile(reading: folder.write(name, text: text))
  }

  private func message(_ text: String, _ name: String) throws -> String {
    let folder = TemporaryFolder()
    let path = try folder.write(name, text: text)
    do {
      _ = try PromptFile(reading: path)
      return ""
    } catch {
      let text = "\(error)"
      let prefix = "\(path): "
      #expect(text.hasPrefix(prefix), "\(text)")
      return String(text.dropFirst(prefix.count))
    }
  }

  @Test func linesButBlankOnesAndComments() throws {
    let file = try read("\u{FEFF}a cat\r\n\r\n  # none\n#none\n  a dog --d 3  \n", "p.txt")
    #expect(file.prompts.map(\.text) == ["a cat", "a dog"])
    #expect(file.prompts[1].seed == 3)
    #expect(file.prompts[1].place.hasSuffix("p.txt: line 5"))
  }

  @Test func tablesOfTOML() throws {
    let file = try read(
      """
      [prompt]
      width = 64
      negative_prompt = "blurry"
      scale = 5

      [[prompt.subset]]
      prompt = "a cat"
      sample_steps = 7
      seed = 1

      [[prompt.subset]]
      prompt = "a dog"
      sample_sampler = "ddim"
      """, "p.toml")
    #expect(file.prompts.map(\.text) == ["a cat", "a dog"])
    #expect(file.prompts.map(\.width) == [64, 64])
    #expect(file.prompts.map(\.negative) == ["blurry", "blurry"])
    #expect(file.prompts.map(\.scale) == [5, 5])
    #expect(file.prompts.map(\.steps) == [7, nil])
    #expect(file.prompts[1].sampler?.name == .ddim)
  }

  @Test func linesAndObjectsOfJSON() throws {
    let file = try read(
      #"["a cat --w 64", {"prompt": "a dog", "height": 128, "seed": null, "scale": 1.5, "enum": 3}]"#,
      "p.json")
    #expect(file.prompts.map(\.text) == ["a cat", "a dog"])
    #expect(file.prompts[0].width == 64)
    #expect(file.prompts[1].height == 128 && file.prompts[1].scale == 1.5)
    #expect(file.notices.count == 1 && file.notices[0].contains("'enum' has no effect"))
  }

  @Test func saysWhatIsWrongAndWhere() throws {
    #expect(try message("# all\n", "p.txt").hasPrefix("expected at least one prompt, found none"))
    #expect(try message("a\nb --s 0\n", "p.txt").hasPrefix("line 2: '--s': expected a whole"))
    #expect(
      try message(
        "[prompt]\nwidth = 64\n[[prompt.subset]]\nprompt = \"a\"\nwidth = 32\n", "p.toml")
        == "[[prompt.subset]] 1, which stands in [prompt] as well: expected 'width' once, found it twice; remove one"
    )
    #expect(try message("prompt = [", "p.toml").hasPrefix("not valid TOML: line 1"))
    #expect(try message("[promt]\n", "p.toml").contains("unknown option 'promt'"))
    #expect(
      try message("[[prompt]]\nprompt = \"a\"\n", "p.toml").contains("expected a table [prompt]"))
    #expect(
      try message("[prompt]\nprompt = \"a\"\nwitdh = 3\n", "p.toml")
        == "[prompt]: unknown option 'witdh'; did you mean 'width'?")
    #expect(try message("{}", "p.json") == "expected a list of prompts, found another value")
    #expect(try message("[1", "p.json").contains("no valid JSON"))
    #expect(try message("[1]", "p.json") == "'prompt 1': expected a text or an object, found 1")
    #expect(
      try message(#"[{"prompt": "a", "width": "64"}]"#, "p.json")
        == "prompt 1: 'width': expected a whole number of pixels from 1 to 16384, found '64'")
    #expect(try message(#"[{"width": 64}]"#, "p.json").contains("expected a prompt"))
  }

  @Test func isAText() throws {
    let folder = TemporaryFolder()
    let path = folder.file("p.txt")
    try FileTree(files: ["p.txt": [0x61, 0xFF, 0xFE]]).write(to: folder.path)
    #expect(throws: PromptError.syntax(path, detail: "expected a text in UTF-8, found other bytes"))
    {
      try PromptFile(reading: path)
    }
    #expect(throws: PromptError.self) { try PromptFile(reading: folder.file("none.txt")) }
  }
}
