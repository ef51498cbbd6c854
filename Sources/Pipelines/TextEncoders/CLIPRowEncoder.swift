import Autograd
import Checkpoints
import DiffusionModels
import ModelFamilies
import Tensors

/// A CLIP text encoder that reads one row of 77 tokens of every caption, what is too long cut off. Its weights are never
/// held in 8 bits: what it makes may be kept for good.
struct CLIPRowEncoder: CaptionEncoder {
  let component: String
  private let model: CLIPTextModel
  private let tokenizer: CLIPTokenizer
  private let isMasked: Bool
  /// What the denoiser reads: vectors of tokens, `[captions, 77, width]`, and one for the whole, `[captions, width]`.
  private let outputs: (_ states: Variable, _ pooled: Variable) -> [Variable]

  /// - Parameters:
  ///   - common: what the weights do not tell, unless a file beside them does.
  ///   - isMasked: whether padding is not seen.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  init(
    _ part: TextPart, _ common: CLIPTextConfiguration, _ settings: ModelSettings,
    isMasked: Bool = false, checkpointsBlocks: Bool,
    outputs: @escaping (_ states: Variable, _ pooled: Variable) -> [Variable]
  ) throws {
    try part.requireCLIP()
    component = part.component
    let configuration = try part.configuration(common)
    let weights = try MergedParameters(part.parameters, settings.merged)
    model = try ModelLoadingError.inFile(part.path) {
      try CLIPTextModel(
        weights, component: part.component, configuration: configuration,
        compute: settings.compute)
    }
    model.checkpointsBlocks = checkpointsBlocks
    tokenizer = CLIPTokenizer(padsWith: configuration.padding)
    self.isMasked = isMasked
    self.outputs = outputs
  }

  var layers: [Layer] { model.layers }

  func encode(_ captions: [String]) -> [Variable] {
    let made = model.encode(
      rows: captions.map { tokenizer.chunks($0)[0] }, isMasked: isMasked)
    return outputs(made.states, made.pooled)
  }
}

extension TextPart {
  /// That it is there and knows CLIP's tokens.
  /// - Throws: `ModelLoadingError.missingPart`, `.vocabulary`
  func requireCLIP() throws(ModelLoadingError) {
    try require()
    let table = parameters.shape(
      component, "text_model.embeddings.token_embedding", "weight")
    if let table, table.rows != CLIPTokenizer.vocabularySize {
      throw .vocabulary(path, expected: CLIPTokenizer.vocabularySize, found: table.rows)
    }
  }
}
