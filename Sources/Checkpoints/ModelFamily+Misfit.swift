package import ModelFamilies
import Safetensors

extension ModelFamily {
  /// Why an adapter finds no place in a model of this family; nil where it is for this one, or not known.
  package func misfit(of adapter: AdapterFile) -> String? {
    misfit(ofModules: adapter.namedModules, metadata: adapter.familyMetadata)
  }

  package func misfit(
    ofModules modules: [NamedModule], metadata: [String: String]
  ) -> String? {
    let found = ModelFamily.recognize(adapterModules: modules, metadata: metadata)
    guard let family = found.family, family != .generic, !found.candidates.contains(self) else {
      return nil
    }
    return "an adapter for \(family.label); the base is "
      + (self == .generic ? "of no known model" : label)
  }

  /// `sdxl (Stable Diffusion XL)`
  package var label: String { "\(name) (\(title))" }
}
