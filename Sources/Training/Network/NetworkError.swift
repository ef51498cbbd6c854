package import Adapters
package import Checkpoints
package import ModelFamilies
package import Tensors

/// What keeps a network from being made, loaded or saved.
package enum NetworkError: Error, Equatable {
  case moduleName(String, known: [String])
  case moduleUnsupported(String, instead: String)
  /// A module for other families than that of the checkpoint.
  case moduleOfFamily(String, [ModelFamily], found: ModelFamily)
  case argumentForm(String)
  case unknownArgument(String, module: String, nearest: String?)
  case value(String, expected: String, found: String)
  /// A known one that is refused.
  case unsupportedArgument(String, reason: String)
  case unknownAlgorithm(String, known: [String])
  case presetOption(String, target: String, reason: String)
  case conflict(String, String, reason: String)
  case blocksOfFamily(String)
  case noModules(selection: String, hints: [String])
  case missingLayer(component: String, path: String)
  case layerShape(path: String, expected: Shape, found: Shape)
  case settings(module: String, AdapterError)
  case fileAlgorithm(file: String, module: String, expected: String, found: String)
  case fileShapes([UnmatchedModule], total: Int, misfit: String?)
  case fileFactor(file: String, module: String, suffix: String, expected: Shape, found: Shape?)
  case fileWithoutModules(file: String, first: [String], misfit: String?)
}

extension NetworkError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .moduleName(let name, let known):
      "'--network_module': expected \(known.joined(separator: ", ")), found '\(name)'"
    case .moduleUnsupported(let name, let instead):
      "'--network_module \(name)' is not known here; say \(instead)"
    case .moduleOfFamily(let name, let families, let found):
      "'--network_module \(name)' is for \(families.map(\.title).joined(separator: ", ")), the checkpoint is "
        + "\(found.title): say networks.lora or lycoris.kohya"
    case .argumentForm(let text):
      "'--network_args': expected key=value, found '\(text)'"
    case .unknownArgument(let key, let module, let nearest):
      "'--network_args': \(module) knows no '\(key)'"
        + (module != "lycoris.kohya" && NetworkModule.lycoris.arguments.contains(key)
          ? "; '--network_module lycoris.kohya' does"
          : nearest.map { ", did you mean '\($0)'?" } ?? "")
    case .value(let key, let expected, let found):
      "'--network_args': \(key): expected \(expected), found '\(found)'"
    case .unsupportedArgument(let key, let reason):
      "'--network_args': \(key): \(reason); remove it"
    case .unknownAlgorithm(let name, let known):
      "'--network_args': algo: expected \(known.joined(separator: ", ")), found '\(name)'"
        + (AlgorithmNames.hint(for: name).map { "; \($0)" } ?? "")
    case .presetOption(let preset, let target, let reason):
      "preset '\(preset)', '\(target)': \(reason)"
    case .conflict(let first, let second, let reason):
      "'--network_args': \(first) does not go with \(second): \(reason)"
    case .blocksOfFamily(let key):
      "'--network_args': \(key): kohya's scripts number the blocks of "
        + ModelFamily.all.filter { $0.blocks?.numbers != nil }.map(\.title)
        .joined(separator: ", ") + ", and not of this model"
    case .noModules(let selection, let hints):
      "no module is selected by \(selection)" + hints.map { "; \($0)" }.joined()
    case .missingLayer(let component, let path):
      "\(component): the model has no layer '\(path)' to attach an adapter to"
    case .layerShape(let path, let expected, let found):
      "layer '\(path)': expected a weight \(expected), found \(found)"
    case .settings(let module, let error): "module '\(module)': \(error)"
    case .fileAlgorithm(let file, let module, let expected, let found):
      "\(file): module '\(module)': expected \(expected), found \(found); '--network_args algo' "
        + "must name what the file holds"
    case .fileShapes(let modules, let total, let misfit):
      "\(modules.first?.file ?? ""): \(misfit ?? "an adapter for a model of other widths"): "
        + "\(modules.count) of "
        + "\(total) modules do not fit their layers: \(modules.examples)"
    case .fileFactor(let file, let module, let suffix, let expected, let found):
      "\(file): module '\(module)': '\(suffix)': expected shape \(expected), found "
        + "\(found.map { "\($0)" } ?? "none"); '--dim_from_weights' takes ranks from the file"
    case .fileWithoutModules(let file, let first, let misfit):
      "\(file): " + (misfit.map { $0 + ": " } ?? "")
        + "none of its modules is among those that are trained; first: "
        + first.joined(separator: ", ")
    }
  }
}
