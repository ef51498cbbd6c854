import Adapters
package import Checkpoints
package import ModelFamilies
package import SystemPackage
package import Tensors

/// Why a plan cannot be made or carried out.
package enum OperationError: Error {
  case noCommonModules(base: FilePath, tuned: FilePath)
  case pairedShapes(module: String, base: (FilePath, Shape), tuned: (FilePath, Shape))
  case otherModel(FilePath, ModelFamily, of: String, than: FilePath, ModelFamily)
  case identical(base: FilePath, tuned: FilePath)
  case nothingSelected(available: Int, [String])
  case sizeTooSmall(limit: Int, needed: Int)
  case notFinite(FilePath, tensor: String)
  case overflow(module: String, DType)
  case memory(needed: Int, available: Int)
  case workingMemory(String, Shape, needed: Int, available: Int)
  case unmatched([UnmatchedModule], total: Int, misfit: String?)
  case algorithmNotExtractable(String, module: String)
  case notWeighed(String, module: String)
  /// One size for what is measured by outputs and what is not.
  case unweighedModules(FilePath, modules: [String])
  case noStatistics(FilePath, available: Int)
  case folderOutput(FilePath, base: FilePath)
  case notAnAdapter(FilePath, found: InspectedKind)
  case spectrumWithoutPattern(FilePath)
  case format(FilePath, stated: String, found: String, module: String)
  case blockWeights(String)
  case noNames(FilePath, [String])
  /// Families that an adapter may be for, and a module that they call differently in a format.
  case severalFamilies(FilePath, [ModelFamily], format: String, module: String)
  case differingTensors(String, [FilePath])
  case folderForPEFT(FilePath)
  case replacesInput(output: FilePath, input: FilePath)
  /// `recognized`: what the adapter seems to be for, where that is another family than the one stated.
  case unnamed([UnmatchedModule], total: Int, format: String, recognized: ModelFamily?)
}

extension OperationError {
  /// Whether it is about what options say, and not about files.
  package var isOfOptions: Bool {
    switch self {
    case .blockWeights, .folderForPEFT, .notAnAdapter: true
    default: false
    }
  }
}

extension OperationError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noCommonModules(let base, let tuned):
      "\(tuned): no layer in common with \(base): expected two checkpoints of one model"
    case .pairedShapes(let module, let base, let tuned):
      "\(tuned.0): module '\(module)': expected shape \(base.1) as in \(base.0), found \(tuned.1); "
        + "leave it out with '--exclude_patterns' if that is meant"
    case .otherModel(let file, let found, let kind, let first, let expected):
      "\(file): expected \(kind) \(expected.label) like \(first), found \(kind) \(found.label): "
        + "they are of different models, which no option bridges"
    case .identical(let base, let tuned):
      "\(tuned): every selected tensor equals that of \(base): there is nothing to extract"
    case .nothingSelected(let available, let notices):
      "the preset and patterns select none of the \(available) modules"
        + notices.map { "; \($0)" }.joined()
    case .sizeTooSmall(let limit, let needed):
      "'--max_size': expected at least \(needed) bytes for metadata, what has no rank and one module, "
        + "found \(limit)"
    case .notFinite(let file, let tensor):
      "\(file): tensor '\(tensor)': expected finite numbers, found NaN or infinity"
    case .overflow(let module, let storage):
      "module '\(module)': expected factors that \(storage) can hold, found larger ones; choose "
        + "'--save_precision' bf16 or fp32"
    case .memory(let needed, let available):
      "the adapter is held in memory until it is whole: expected at most \(available) bytes of it, "
        + "found \(needed); choose lower ranks, '--save_precision' bf16 or fewer modules"
    case .workingMemory(let name, let shape, let needed, let available):
      "'\(name)': a weight of \(shape) needs \(needed >> 20) MiB of memory, \(available >> 20) MiB are "
        + "available; leave it out, or work where there is more"
    case .unmatched(let modules, let total, let misfit):
      "\(modules.first?.file ?? ""): " + (misfit.map { $0 + ": " } ?? "")
        + (modules.count == total ? "none" : "\(modules.count)") + " of \(total) adapter modules "
        + (modules.count == total ? "has a place" : "have no place") + " in the base: "
        + modules.examples
        + (modules.count == total || misfit != nil ? "" : "; '--lenient' merges the rest")
    case .algorithmNotExtractable(let name, let module):
      "preset: module '\(module)': expected an algorithm that can be extracted, "
        + extractableAlgorithms.map { $0.name }.joined(separator: ", ")
        + " or full, found '\(name)'"
    case .notWeighed(let name, let module):
      "module '\(module)': expected an algorithm of which statistics of inputs make a better one, "
        + extractableAlgorithms.filter { $0.weighing != nil }.map { $0.name }
        .joined(separator: ", ")
        + " or full, found '\(name)': its factors do not end at the inputs; leave '--calibrate' and '--statistics' out"
    case .unweighedModules(let file, let modules):
      "\(file): '--mode size' weighs the outputs of all modules, and \(modules.count) have no statistics, such as "
        + "'\(modules[0])'; leave them out with '--exclude_patterns', or choose '--mode fixed'"
    case .noStatistics(let file, let available):
      "\(file): none of its \(available) modules is one that is extracted: expected names as in the adapter, or keys "
        + "of the base without '.weight'"
    case .folderOutput(let output, let base):
      "\(output): expected a folder, since \(base) is a diffusers folder"
    case .notAnAdapter(let file, let found):
      "\(file): expected an adapter for '--reader' or '--against', found: \(found.rawValue); leave the option out"
    case .spectrumWithoutPattern(let file):
      "\(file): the spectrum of a checkpoint takes long: choose weights with '--pattern'"
    case .format(let file, let stated, let found, let module):
      "\(file): '--from': expected names of \(stated), found those of \(found), as '\(module)'"
    case .blockWeights(let fault): "'--block_weights': \(fault)"
    case .noNames(let file, let evidence):
      "\(file): its modules can only be renamed if their model is known: "
        + evidence.prefix(2).joined(separator: "; ")
        + "; say '--family', or '--base' with the checkpoint that it is for"
    case .severalFamilies(let file, let families, let format, let module):
      "\(file): expected the names of one model, found names that fit \(families.enumerated) alike, and "
        + "'\(module)' has another name in '\(format)' for each: say '--family' with the one that it is for"
    case .differingTensors(let key, let files):
      "tensor '\(key)': found different ones in "
        + files.map { "\($0)" }.joined(separator: " and ") + "; leave one of them out"
    case .folderForPEFT(let output):
      "\(output): expected a folder for PEFT, which wants its files under names of their own"
    case .replacesInput(let output, let input):
      "\(output): expected an output that is no input, found one that takes the place of \(input); "
        + "'--overwrite' does that"
    case .unnamed(let modules, let total, let format, let recognized):
      "\(modules.first?.file ?? ""): \(modules.count) of \(total) modules "
        + (format.isEmpty ? "cannot be read" : "have no name in \(format)") + ": "
        + modules.examples
        + (recognized.map {
          "; the adapter is recognized as one for \($0.label), and '--family' says another"
        }
          ?? "; '--lenient' copies them as they are")
    }
  }
}
