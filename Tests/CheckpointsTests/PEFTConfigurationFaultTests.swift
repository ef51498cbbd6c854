import Adapters
import Checkpoints
import FoundationEssentials
import SystemPackage
import Tensors
import TestSupport
import Testing

/// A configuration that cannot be understood is an error: without it the adapter would be read at
/// scale 1.
@Suite struct PEFTConfigurationFaultTests {
  private static let tensors = [
    "base_model.model.down.q.lora_B.weight": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
    "base_model.model.down.q.lora_A.weight": EncodedTensor(Tensor(zeros: [4, 5]), as: .f32),
  ]

  private static func adapter(
    _ json: String, in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    try Data(json.utf8)
      .write(to: URL(filePath: folder.path.appending("adapter_config.json").string))
    return try folder.write("adapter_model.safetensors", tensors)
  }

  static let faults: [(json: String, message: String)] = [
    (#"{"r": 4, "lora_alpha": 64"#, "JSON: expected ',' or '}' at byte 25"),
    ("", "JSON: expected a value at byte 0"),
    ("[1]", "expected a JSON object"),
    (#"{"lora_alpha": "many"}"#, "'lora_alpha': expected a number, found \"many\""),
    (#"{"lora_alpha": [64]}"#, "'lora_alpha': expected a number, found a list"),
    (#"{"lora_alpha": "inf"}"#, "'lora_alpha': expected a number, found \"inf\""),
    (#"{"lora_alpha": true}"#, "'lora_alpha': expected a number, found true"),
    (#"{"r": {}}"#, "'r': expected a number, found an object"),
    (#"{"use_rslora": 1}"#, "'use_rslora': expected true or false, found 1"),
    (#"{"alpha_pattern": 3}"#, "'alpha_pattern': expected an object, found 3"),
    (
      #"{"alpha_pattern": {"q": "x"}}"#,
      "'alpha_pattern', 'q': expected a number, found \"x\""
    ),
    (
      #"{"alpha_pattern": {".*(?<!x)q": 64}}"#,
      "'alpha_pattern': pattern '.*(?<!x)q': the lookbehind '(?<!' at character"
    ),
    (
      #"{"rank_pattern": {"(": 64}}"#,
      "'rank_pattern': pattern '(': not a valid regular expression: an open parenthesis"
    ),
  ]

  @Test(arguments: faults)
  func saysFileAndKey(json: String, message: String) throws {
    let folder = TemporaryFolder()
    let path = try Self.adapter(json, in: folder)
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
    let text = error?.description ?? ""
    #expect(
      text.hasPrefix("\(folder.path.appending("adapter_config.json")): \(message)"), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func headersAreReadAsStrictly() throws {
    let folder = TemporaryFolder()
    for (json, message) in [
      ("no JSON", "metadata 'lora_adapter_metadata': expected a JSON object, found 'no JSON'"),
      (#"{"unet.lora_alpha": "x"}"#, "'unet.lora_alpha': expected a number, found \"x\""),
    ] {
      let path = try folder.write(
        "a.safetensors", ["unet.q.lora_A.weight": EncodedTensor(Tensor(zeros: [4, 5]), as: .f32)],
        metadata: ["lora_adapter_metadata": json])
      let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
      #expect(error?.description.hasPrefix("\(path): \(message)") == true)
    }
  }

  @Test func anUnreadableConfigurationIsNamed() throws {
    let folder = TemporaryFolder()
    let path = try folder.write("adapter_model.safetensors", Self.tensors)
    let configuration = folder.path.appending("adapter_config.json")
    try FileManager.default.createDirectory(
      atPath: configuration.string, withIntermediateDirectories: false)
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
    #expect(
      error?.description.hasPrefix("\(configuration): expected a file, found a folder") == true)
  }

  @Test func numbersAsTextAreReadWithANotice() throws {
    let folder = TemporaryFolder()
    let path = try Self.adapter(
      #"{"r": 4, "lora_alpha": "64", "alpha_pattern": {"up": "3"}}"#, in: folder)
    let file = try AdapterFile(opening: path)
    let configuration = folder.path.appending("adapter_config.json")
    #expect(file.modules[0].alpha == 64)
    #expect(
      file.notices == [
        "\(configuration): 'lora_alpha': the text \"64\" is read as a number",
        "\(configuration): 'alpha_pattern', 'up': the text \"3\" is read as a number",
      ])
  }

  /// Expressions of a file that cost too much together.
  @Test(.timeLimit(.minutes(60))) func expressionsAreBounded() throws {
    let folder = TemporaryFolder()
    let path = try Self.adapter(
      #"{"lora_alpha": 2, "alpha_pattern": {"((\\w+\\.?)+)+Z": 3}}"#, in: folder)
    #expect(try AdapterFile(opening: path).modules[0].alpha == 2)
    let many = (0..<1000).map { #""(a?){900}x\#($0)": 1"# }.joined(separator: ", ")
    let heavy = try Self.adapter(#"{"alpha_pattern": {\#(many)}}"#, in: folder)
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: heavy) }
    #expect(error?.description.contains("too large together") == true)
  }
}
