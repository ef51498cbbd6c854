import Checkpoints
import DiffusionModels
import Machine
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// Where a text encoder lies, in a file of its own or in the checkpoint, and what stands beside it.
struct TextPart {
  let component: String
  /// That of its own, or the checkpoint.
  let path: FilePath
  let parameters: CheckpointParameters
  private let settings: ModelSettings

  /// - Parameter base: the checkpoint with the parts from files of their own.
  init(_ component: String, of base: BaseModel, _ settings: ModelSettings) {
    self.component = component
    self.settings = settings
    parameters = CheckpointParameters(base)
    let option = base.layout.family.option(of: component)
    path = option.flatMap { settings.componentFiles[$0] } ?? base.file.path
  }

  /// The option that names the file of its own.
  var ownOption: String? {
    parameters.base.layout.family.option(of: component).flatMap {
      settings.componentFiles[$0] == nil ? nil : $0
    }
  }

  /// Whether there is one.
  var isThere: Bool { parameters.has(component) }

  /// - Throws: `ModelLoadingError.missingPart`
  func require() throws(ModelLoadingError) {
    guard !isThere else { return }
    throw .missingPart(
      path, component: component,
      option: parameters.base.layout.family.option(of: component) ?? component)
  }

  /// That its vectors are those that the denoiser reads.
  /// - Parameters:
  ///   - width: nil where that is not known.
  ///   - norm: whose weight has as many numbers.
  /// - Throws: `ModelLoadingError.textWidth`
  func requireWidth(_ width: Int?, of norm: String) throws(ModelLoadingError) {
    guard let width, let found = parameters.shape(component, norm, "weight")?.rows, found != width
    else { return }
    throw .textWidth(
      path, component: component, option: ownOption, expected: width, found: found)
  }

  /// Its modules, in the order of the checkpoint.
  var modules: [FamilyModule] {
    parameters.base.layout.modules.filter { $0.component == component }
  }

  /// Folders in which what belongs to it may lie: its own, that of a name in it and beside it.
  private func folders(named name: String?) -> [FilePath] {
    let own = path.kind == .folder ? path : path.folder
    return [own]
      + (name.map { [own.appending(named: $0), own.folder.appending(named: $0)] } ?? [])
  }

  // MARK: CLIP

  /// Numbers of CLIP's vectors.
  var width: Int? {
    parameters.shape(component, "text_model.final_layer_norm", "weight")?.rows
  }

  /// Numbers of the one for the whole caption.
  var pooledWidth: Int? { parameters.shape(component, "text_projection", "weight")?.rows ?? width }

  /// What its weights do not tell, by the `config.json` beside it whose width it has.
  /// - Throws: `ModelLoadingError.configuration`, `.unreadable`
  func configuration(
    _ common: CLIPTextConfiguration
  ) throws -> CLIPTextConfiguration {
    var configuration = common
    let name = parameters.base.layout.family.folder(of: component)
    for folder in folders(named: name) {
      guard let file = try ModelConfigurationFile(folder.appending("config.json")),
        (try? file.integers("hidden_size"))??.first == width
      else { continue }
      try configuration.read(file)
      return configuration
    }
    return configuration
  }

  // MARK: T5

  /// The tokenizer that is named, or lies beside it.
  /// - Throws: `ModelLoadingError.tokenizer`, `.missingTokenizer`, `.tokenizerSize`, `.unreadable`
  func unigramTokenizer() throws(ModelLoadingError) -> UnigramTokenizer {
    let (path, tokenizer) = try foundTokenizer()
    try requireKnown(tokenizer, path)
    return tokenizer
  }

  private func requireKnown(
    _ tokenizer: UnigramTokenizer, _ path: FilePath
  ) throws(ModelLoadingError) {
    guard let known = knownTokens, tokenizer.tokenCount > known else { return }
    throw .tokenizerSize(path, tokens: tokenizer.tokenCount, known: known)
  }

  /// Tokens that it has vectors of.
  private var knownTokens: Int? {
    let table =
      parameters.shape(component, "shared", "weight")
      ?? parameters.shape(component, "encoder.embed_tokens", "weight")
    return table?.rows
  }

  /// That there is a tokenizer, and what there is to say of one whose tokens are far fewer than those that the encoder
  /// knows: it may be that of another one. T5's own leaves 28 of its 32128 rows to nothing.
  /// - Throws: as `unigramTokenizer`.
  func checkTokenizer() throws(ModelLoadingError) -> String? {
    let (path, tokenizer) = try foundTokenizer()
    try requireKnown(tokenizer, path)
    guard let known = knownTokens, known - tokenizer.tokenCount >= Self.filling else { return nil }
    return
      "\(path): a tokenizer of \(tokenizer.tokenCount) tokens for a text encoder that knows \(known): it may be that of "
      + "another model"
  }

  /// What sizes of tables are filled up to, for the sake of processors.
  private static let filling = 128

  /// Differs between tokenizers; nil where there is none to read.
  var tokenizerIdentity: String? {
    guard let (path, _) = try? foundTokenizer(), let bytes = try? InputFile.bytes(of: path) else {
      return nil
    }
    let hash = SHA256()
    unsafe hash.update(bytes.span.bytes)
    return " tokenized by " + hash.finish()
  }

  private func foundTokenizer() throws(ModelLoadingError) -> (FilePath, UnigramTokenizer) {
    // As diffusers' folders are called: `text_encoder_2` and `tokenizer_2`.
    let name = (parameters.base.layout.family.folder(of: component) ?? "")
      .replacingPrefix("text_encoder", with: "tokenizer")
    if let given = settings.tokenizer, InputFile.kind(of: given) != .folder {
      return (given, try UnigramTokenizer(reading: given))
    }
    let folders =
      settings.tokenizer.map { [$0, $0.appending(named: name)] } ?? folders(named: name)
    var other: ModelLoadingError?
    for folder in folders {
      for file in UnigramTokenizer.fileNames {
        let path = folder.appending(named: file)
        guard InputFile.kind(of: path) != nil else { continue }
        do throws(ModelLoadingError) {
          return (path, try UnigramTokenizer(reading: path))
        } catch .tokenizer(_, .unsupported(let found)) {
          // That of another text encoder may lie nearer.
          other = .tokenizer(path, .unsupported(found))
        }
      }
    }
    throw other
      ?? .missingTokenizer(
        settings.tokenizer ?? path, names: UnigramTokenizer.fileNames, folder: name,
        option: "--t5xxl_tokenizer")
  }
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
    hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
  }
}
