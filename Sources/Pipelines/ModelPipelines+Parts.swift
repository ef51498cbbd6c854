import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage

extension BaseModel {
  /// The checkpoint with parts from files of their own, as if it had them itself.
  /// - Parameters:
  ///   - parts: files by the options that name them.
  ///   - mayLack: whether a file need not be there; nothing then takes the place of its part.
  /// - Throws: `ModelLoadingError.foreignPart`, `.otherPart`, and what opening throws.
  func joined(with parts: [String: FilePath], mayLack: Bool = false) throws -> BaseModel {
    guard !parts.isEmpty else { return self }
    let family = layout.family
    var file = file
    for (option, path) in parts.sorted(by: { $0.key < $1.key }) {
      guard let component = family.component(ofOption: option) else {
        throw ModelLoadingError.foreignPart(
          self.file.path, option: option, family, known: family.partOptions)
      }
      let replaced = keys(of: component)
      if mayLack, path.kind == nil {
        file = file.adding([]) { replaced.contains($0) }
        continue
      }
      let part = try ModelLoadingError.ofPart(option) { try TensorFile(opening: path) }
      let names = family.wholeKeys(part.tensors.keys, ofFileOf: component)
      let views = names.map { key, whole in part.tensors[key]!.renamed(whole) }
      file = file.adding(views) { replaced.contains($0) }
      // Half of its keys, at least, are the component's.
      var known = 0
      do {
        let joined = try BaseModel(file, as: family)
        known = names.count { joined.isKnown($0.whole, of: component) }
      } catch is ModelFamilyError {}
      guard known * 2 > names.count, known > 0 else {
        throw ModelLoadingError.otherPart(
          path, option: option, component: component, found: family.contents(of: part))
      }
    }
    return try BaseModel(file, as: family)
  }

  /// An autoencoder from a file of its own.
  /// - Throws: `ModelLoadingError.part`, `.otherPart`
  static func autoencoder(_ path: FilePath, of family: ModelFamily) throws -> BaseModel {
    let option = ModelLoadingError.autoencoderOption
    let file = try ModelLoadingError.ofPart(option) { try TensorFile(opening: path) }
    let component = family.components(.autoencoder).first ?? "vae"
    var base: BaseModel?
    do {
      base = try BaseModel(file, as: family)
    } catch is ModelFamilyError {} catch CheckpointError.notACheckpoint {}
    guard let base, CheckpointParameters(base).has(component) else {
      throw ModelLoadingError.otherPart(
        path, option: option, component: component, found: family.contents(of: file))
    }
    return base
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
