import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage

extension BaseModel {
  /// The checkpoint with parts from files of their own, as if it had them itself.
  /// - Parameter parts: files by the options that name them.
  /// - Throws: `ModelLoadingError.foreignPart`, `.otherPart`, and what opening throws.
  func joined(with parts: [String: FilePath]) throws -> BaseModel {
    guard !parts.isEmpty else { return self }
    let family = layout.family
    var file = file
    for (option, path) in parts.sorted(by: { $0.key < $1.key }) {
      guard let component = family.component(ofOption: option) else {
        throw ModelLoadingError.foreignPart(
          self.file.path, option: option, family, known: family.partOptions)
      }
      let part = try TensorFile(opening: path)
      let names = family.wholeKeys(part.tensors.keys, ofFileOf: component)
      let views = names.map { key, whole in part.tensors[key]!.renamed(whole) }
      let replaced = keys(of: component)
      file = file.adding(views) { replaced.contains($0) }
      let joined = try BaseModel(file, as: family)
      // Half of its keys, at least, are the component's.
      let known = names.count { joined.isKnown($0.whole, of: component) }
      guard known * 2 > names.count, known > 0 else {
        throw ModelLoadingError.otherPart(
          path, option: option, component: component,
          found: part.tensors.keys.first ?? "no tensors")
      }
    }
    return try BaseModel(file, as: family)
  }

  private func isKnown(_ key: String, of component: String) -> Bool {
    layout.component(ofKey: quantized.owners[key] ?? key) == component
      || quantized.keys.contains(key)
  }

  /// Keys of a component, those of its codes among them.
  private func keys(of component: String) -> Set<String> {
    Set(
      file.tensors.keys.filter {
        layout.component(ofKey: quantized.owners[$0] ?? $0) == component
      })
  }
}
