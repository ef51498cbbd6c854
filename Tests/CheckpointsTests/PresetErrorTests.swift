import Checkpoints
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct PresetErrorTests {
  static let faults: [(toml: String, message: String)] = [
    (
      "enable_conf = true",
      "preset 'p': unknown key 'enable_conf', expected one of enable_conv, use_fnmatch, "
        + "exclude_name, lora_prefix, target_module, target_name, unet_target_module, "
        + "unet_target_name, text_encoder_target_module, text_encoder_target_name, "
        + "module_algo_map, name_algo_map"
    ),
    ("enable_conv = 1", "preset 'p': 'enable_conv': expected true or false"),
    ("use_fnmatch = 'yes'", "preset 'p': 'use_fnmatch': expected true or false"),
    ("target_module = 'A'", "preset 'p': 'target_module': expected a list of strings"),
    ("target_name = [1]", "preset 'p': 'target_name': expected a list of strings"),
    (
      "exclude_name = ['(']",
      "preset 'p', 'exclude_name': pattern '(': not a valid regular expression: an open parenthesis "
        + "without its end at character 1"
    ),
    (
      "target_name = ['a(?!b)']",
      "preset 'p', 'target_name': pattern 'a(?!b)': the lookahead '(?!' at character 2 is not "
        + "understood: expressions are matched in linear time, without lookaround, backreferences, "
        + "conditions, atomic groups and possessive repetitions"
    ),
    ("module_algo_map = 3", "preset 'p': 'module_algo_map': expected a table"),
    ("[module_algo_map]\nA = 3", "preset 'p': 'module_algo_map.A': expected a table"),
    ("[module_algo_map.A]\nalgo = 3", "preset 'p': 'algo': expected a string"),
    (
      "[module_algo_map.A]\ndim = 0",
      "preset 'p': 'dim': expected an integer from 1 to 2147483647"
    ),
    (
      "[name_algo_map.a]\nconv_dim = 'x'",
      "preset 'p': 'conv_dim': expected an integer from 1 to 2147483647"
    ),
    // Products with extents of weights would be no numbers any more.
    (
      "[name_algo_map.a]\ndim = 4611686018427387904",
      "preset 'p': 'dim': expected an integer from 1 to 2147483647"
    ),
    (
      "[module_algo_map.A]\nfactor = 2147483648",
      "preset 'p': 'factor': expected -1, or an integer from 1 to 2147483647"
    ),
    (
      "[name_algo_map.'(']\ndim = 1",
      "preset 'p', 'name_algo_map': pattern '(': not a valid regular expression: an open parenthesis "
        + "without its end at character 1"
    ),
  ]

  @Test(arguments: faults)
  func says(toml: String, message: String) {
    let error = #expect(throws: CheckpointError.self) { try Preset(name: "p", toml: toml) }
    #expect(error?.description == message)
  }

  @Test(arguments: ["target_module = [", "a = = 1", "[x"])
  func saysWhereTOMLIsWrong(toml: String) {
    let error = #expect(throws: CheckpointError.self) { try Preset(name: "p", toml: toml) }
    let message = error?.description ?? ""
    #expect(message.hasPrefix("preset 'p': not valid TOML: "))
    #expect(!message.contains("\n"))
  }

  @Test func readsAFile() throws {
    let folder = TemporaryFolder()
    let path = try folder.write("mine.toml", text: "target_name = ['conv']\n")
    #expect(try Preset(named: path.string).name == path.string)
  }

  @Test func namesTheBuiltInOnes() {
    let error = #expect(throws: CheckpointError.self) { try Preset(named: "/no/such.toml") }
    #expect(
      error?.description
        == "preset '/no/such.toml': expected a TOML file or one of "
        + Preset.builtInNames.joined(separator: ", ") + ", found no such file")
  }

  /// In the order of use; all files of the folder are there.
  @Test func builtInOnesAreTheFilesOfTheirFolder() throws {
    let names = [
      "full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only",
      "unet-convblock-only", "ia3",
    ]
    #expect(Preset.builtInNames == names)
    let folder = Fixtures.folder.removingLastComponent().appending("Sources/Checkpoints/Presets")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.string)
    #expect(files.sorted() == names.map { $0 + ".toml" }.sorted())
  }

  /// A copy of a built-in preset is a preset.
  @Test func theirOrderIsNoMistakeInACopy() throws {
    #expect(throws: Never.self) {
      try Preset(name: "mine", toml: "order = 10\nenable_conv = false\n")
    }
  }

  @Test(arguments: Preset.builtInNames)
  func readsTheBuiltInOnes(name: String) throws {
    #expect(try Preset(named: name).name == name)
  }
}
