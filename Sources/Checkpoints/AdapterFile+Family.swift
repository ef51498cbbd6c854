package import ModelFamilies
import Safetensors

extension AdapterFile {
  /// The names of its modules, with the width of the input where it is known, for
  /// `ModelFamily.recognize`.
  package var modulesByWidth: [(name: String, inputWidth: Int?)] {
    modules.map { ($0.name, $0.inputWidth) }
  }

  /// The family that it was made for, by its modules and its metadata, see `ModelFamily.recognize`.
  package func recognizeFamily() -> (family: ModelFamily?, evidence: [String]) {
    ModelFamily.recognize(adapterModules: modulesByWidth, metadata: file.metadata)
  }
}
