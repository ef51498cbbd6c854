import Adapters
import Checkpoints
import ModelFamilies
import Safetensors
import Tensors

extension AdapterFamily {
  /// Refuses an adapter whose names fit several families, where these call one of its modules differently in a
  /// format.
  /// - Throws: `OperationError.severalFamilies`
  func requireOneMeaning(
    of adapter: AdapterFile, in format: AdapterFormat
  ) throws(OperationError) {
    guard !rivals.isEmpty else { return }
    let namings = candidates.compactMap { family in
      FamilyNames(of: family).map { (family, ModuleNaming.family($0)) }
    }
    for module in adapter.modules {
      let shape = module.algorithm.weightShape(of: module.shapes)
      var first: PlaceSpelling?
      for (_, naming) in namings {
        guard let found = try? naming.spelling(of: module.name, in: format, weightShape: shape)
        else { continue }
        if let first, first != found {
          throw .severalFamilies(
            adapter.file.path, candidates, format: format.rawValue, module: module.name)
        }
        first = found
      }
    }
  }

  /// What is to be said of a file that fits several families; nil where it fits one.
  var ambiguity: String? {
    rivals.isEmpty
      ? nil : "the names fit \(candidates.enumerated) alike; '--family' says which it is for"
  }
}

extension [ModelFamily] {
  /// `flux (Flux.1), chroma (Chroma) or qwen-image (Qwen-Image)`
  package var enumerated: String {
    let labels = map(\.label)
    return labels.count > 1
      ? labels.dropLast().joined(separator: ", ") + " or " + labels[labels.count - 1]
      : labels.joined()
  }
}
