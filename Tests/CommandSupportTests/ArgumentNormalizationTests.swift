import CommandSupport
import Testing

@Suite struct ArgumentNormalizationTests {
  struct Case: CustomTestStringConvertible {
    let given: String
    let expected: String
    var testDescription: String { given }
  }

  private static let normalization = ArgumentNormalization(
    lists: ["exclude_patterns"], numberLists: ["ratio"], positionals: ["sd_model", "models"],
    ignored: ["device": (true, "no GPU"), "is_sdxl": (false, "recognized")])

  @Test(arguments: [
    Case(given: "a b -o c", expected: "a b -o c"),
    Case(given: "a --te-ratio 0.5", expected: "a --te_ratio 0.5"),
    Case(given: "a --te-ratio=0.5", expected: "a --te_ratio=0.5"),
    Case(given: "a b --ratio 0.7 -0.3 -o c", expected: "a b --ratio=0.7 --ratio=-0.3 -o c"),
    Case(given: "a --ratio 0.7 b", expected: "a --ratio=0.7 b"),
    Case(given: "a --ratio -o c", expected: "a --ratio -o c"),
    Case(given: "a --te_ratio -1 b", expected: "a --te_ratio=-1 b"),
    Case(
      given: "a --exclude_patterns .*x.* .*y.* -o c",
      expected: "a --exclude_patterns=.*x.* --exclude_patterns=.*y.* -o c"),
    Case(given: "--sd_model a --models b c --save_to d", expected: "a b c --save_to d"),
    Case(given: "--models b c --sd-model a", expected: "a b c"),
    Case(given: "a --device cuda --is_sdxl b", expected: "a b"),
    Case(given: "a --device=cuda b", expected: "a b"),
    Case(given: "python tools/merge.py a b --save-to c", expected: "a b --save_to c"),
    Case(
      given: "uv run --frozen python3 networks/merge_lora.py --sd_model a --models b",
      expected: "a b"),
    Case(given: "networks\\\\merge_lora.py a b", expected: "a b"),
    Case(given: "python a.safetensors b", expected: "python a.safetensors b"),
    Case(given: "a -- --te-ratio", expected: "a -- --te-ratio"),
    Case(
      given: "--generate-completion-script bash", expected: "--generate-completion-script bash"),
  ])
  func rewrites(_ example: Case) {
    let given = example.given.split(separator: " ").map(String.init)
    let expected = example.expected.split(separator: " ").map(String.init)
    #expect(Self.normalization.normalized(given) == expected)
  }

  @Test func saysWhatHasNoEffect() {
    var notes: [String] = []
    _ = Self.normalization.normalized(["--device", "cuda"]) { notes.append($0) }
    #expect(notes == ["'--device' has no effect: no GPU"])
  }
}
