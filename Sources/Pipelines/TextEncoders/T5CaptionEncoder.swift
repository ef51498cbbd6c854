import Autograd
import Checkpoints
import DiffusionModels
import ModelFamilies
import Tensors

/// T5, which reads a row of tokens of every caption, and is never trained.
///
/// Its weights are multiplied as they are also where those of the denoiser are held in 8 bits: two of its blocks are in
/// memory at a time, and what it makes may be kept for good.
struct T5CaptionEncoder: CaptionEncoder {
  let component: String
  private let model: T5Encoder
  private let tokenizer: UnigramTokenizer
  private let length: Int
  private let isMasked: Bool

  /// - Parameters:
  ///   - length: tokens of a row.
  ///   - settings: `appliesT5Mask` says whether padding is not seen.
  /// - Throws: `ModelLoadingError`, and what opening throws.
  init(_ part: TextPart, length: Int, _ settings: ModelSettings) throws {
    try part.require()
    component = part.component
    tokenizer = try part.unigramTokenizer()
    let weights = try MergedParameters(part.parameters, settings.merged)
    model = try ModelLoadingError.inFile(part.path) {
      try T5Encoder(
        weights, component: part.component, compute: settings.compute)
    }
    self.length = length
    isMasked = settings.appliesT5Mask
  }

  /// None that may be adapted.
  var layers: [Layer] { [] }

  /// Vectors `[captions, tokens, width]`, and `[captions, tokens]`: 1 where there is text, 0 for padding.
  func encode(_ captions: [String]) -> [Variable] {
    let rows = captions.map { tokenizer.row($0, length: length) }
    let states = model(rows.map(\.tokens), counts: isMasked ? rows.map { max($0.count, 1) } : nil)
    let mask = rows.flatMap { row in (0..<length).map { $0 < row.count ? Float(1) : 0 } }
    return [Variable(states), Variable(Tensor([captions.count, length], mask))]
  }
}

extension TextPart {
  /// Blocks of T5, of which two are in memory at a time, in the order in which they are computed.
  var streamedBlocks: [[FamilyModule]] {
    var blocks: [Int: [FamilyModule]] = [:]
    for module in modules {
      let parts = module.graphPath.split(separator: ".")
      guard parts.count > 2, parts[1] == "block", let number = Int(parts[2]) else { continue }
      blocks[number, default: []].append(module)
    }
    return blocks.sorted { $0.key < $1.key }.map(\.value)
  }
}
