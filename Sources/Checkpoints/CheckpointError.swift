package import Adapters
package import Machine
package import Patterns
package import SystemPackage
package import Tensors

/// Where names and numbers do not meet: what a user must know to mend a file or a command.
package enum CheckpointError: Error {
  case notAnAdapter(FilePath, keys: [String])
  case notACheckpoint(FilePath, modules: Int)
  case refused(FilePath, RefusedFormat, modules: Int)
  case beginning(FilePath, String, modules: Int)
  case initialModule(FilePath, module: String, shapes: String?)
  case unusedInitial(FilePath)
  case duplicateFactor(FilePath, module: String, suffix: String, keys: [String])
  case duplicateModule(FilePath, layer: String, modules: [String])
  case mixedAlgorithms(FilePath, module: String, [String])
  case unknownFactor(FilePath, module: String, algorithm: String, key: String)
  case alpha(FilePath, module: String, found: String)
  case module(FilePath, module: String, AdapterError)
  case notConvertible(FilePath, tensor: String, DType)
  case notFinite(FilePath, tensor: String)
  case scaleShape(FilePath, tensor: String, weight: Shape, found: Shape)
  /// Codes that are not read: how many weights, and the first of them.
  case quantized(FilePath, String, weights: Int, first: String, reason: String)
  /// Codes that would have to become numbers of a format that the file does not tell.
  case quantizedFormat(FilePath, String, weight: String)
  case presetNotFound(String, builtIn: [String])
  case presetFile(String, InputError)
  case presetSyntax(String, detail: String)
  case presetKey(String, key: String, known: [String])
  case presetValue(String, key: String, expected: String)
  case presetPattern(String, key: String, PatternError)
  case presetWithoutClasses(String, family: String)
  /// `detail` begins with the file.
  case configuration(detail: String)
  case configurationValue(FilePath, key: String, expected: String, found: String)
  case statistics(FilePath, tensor: String, expected: String, found: String)
  /// `from`: the flag or argument that has it. What a file has is `.configuration` or `.presetPattern`.
  case pattern(from: String, PatternError)
}

extension CheckpointError {
  /// Whether it is about what options say, and not about files.
  package var isOfOptions: Bool {
    switch self {
    case .presetNotFound, .pattern: true
    default: false
    }
  }
}

extension CheckpointError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .statistics(let file, let tensor, let expected, let found):
      "\(file): statistics of inputs: tensor '\(tensor)': expected \(expected), found \(found)"
    case .notAnAdapter(let file, let keys):
      "\(file): expected an adapter, found no tensor with a known suffix such as "
        + "'.lora_down.weight' or '.diff'; first keys: \(keys.joined(separator: ", ")); lyco-convert adds "
        + "checkpoints up"
    case .notACheckpoint(let file, let modules):
      "\(file): expected a checkpoint, found an adapter of \(modules) modules; 'lyco-merge BASE "
        + "ADAPTER' puts adapters into a checkpoint, and lyco-train goes on from one with '--network_weights'"
    case .refused(let file, let format, let modules):
      "\(file): \(modules) \(modules == 1 ? "module" : "modules") of \(format.name), which cannot be "
        + "applied: \(format.reason)"
    case .beginning(let file, let way, let modules):
      "\(file): \(modules) \(modules == 1 ? "module" : "modules") with 'init_lora_weights' \(way): their "
        + "product was not zero before training, and is not the change of the weight; give lyco-merge or "
        + "lyco-convert the adapter as it was then with '--initial_adapter', or save it in PEFT with "
        + "'path_initial_model_for_weight_conversion'; '--residual_base' of lyco-merge is for the base "
        + "without that product"
    case .initialModule(let file, let module, let shapes):
      "\(file): module '\(module)': expected the factors before training of the same layer, found "
        + (shapes.map { "those of other shapes: \($0)" } ?? "none")
    case .unusedInitial(let file):
      "\(file): '--initial_adapter': expected one for every adapter that did not begin at zero, found one "
        + "too many; what PEFT converted needs none"
    case .duplicateFactor(let file, let module, let suffix, let keys):
      "\(file): module '\(module)': '\(suffix)' stands in the file more than once with "
        + "different values: \(keys.joined(separator: ", "))"
    case .duplicateModule(let file, let layer, let modules):
      "\(file): modules '\(modules.joined(separator: "' and '"))' both change layer '\(layer)', "
        + "and differently; remove one"
    case .mixedAlgorithms(let file, let module, let names):
      "\(file): module '\(module)': expected the tensors of one algorithm, found those of "
        + names.joined(separator: " and ")
    case .unknownFactor(let file, let module, let algorithm, let key):
      "\(file): module '\(module)': tensor '\(key)' does not belong to \(algorithm)"
    case .alpha(let file, let module, let found):
      "\(file): tensor '\(module).alpha': expected one finite number, found \(found)"
    case .module(let file, let module, let error): "\(file): module '\(module)': \(error)"
    case .notConvertible(let file, let tensor, let dtype):
      "\(file): tensor '\(tensor)': expected a floating-point dtype, found \(dtype)"
    case .notFinite(let file, let tensor):
      "\(file): tensor '\(tensor)': expected finite numbers, found NaN or infinity"
    case .scaleShape(let file, let tensor, let weight, let found):
      "\(file): tensor '\(tensor)': expected one scale, one per row or one per block of a weight "
        + "\(weight), found shape \(found)"
    case .quantized(let file, let name, let weights, let first, let reason):
      "\(file): \(weights) \(weights == 1 ? "weight" : "weights") quantized as \(name), first '\(first)', "
        + "whose numbers are not read: \(reason); take the checkpoint that it was made from"
    case .quantizedFormat(let file, let name, let weight):
      "\(file): '\(weight)' is quantized as \(name), which a changed weight does not keep; "
        + "'--save_precision bf16' writes all weights as numbers"
    case .presetNotFound(let name, let builtIn):
      "preset '\(name)': expected a TOML file or one of \(builtIn.joined(separator: ", ")), found no such file"
    case .presetFile(let name, let error): "preset '\(name)': \(error)"
    case .presetSyntax(let name, let detail): "preset '\(name)': not valid TOML: \(detail)"
    case .presetKey(let name, let key, let known):
      "preset '\(name)': unknown key '\(key)', expected one of \(known.joined(separator: ", "))"
    case .presetValue(let name, let key, let expected):
      "preset '\(name)': '\(key)': expected \(expected)"
    case .presetPattern(let name, let key, let error): "preset '\(name)', '\(key)': \(error)"
    case .presetWithoutClasses(let name, let family):
      "preset '\(name)' selects by layer classes, which a \(family) checkpoint does not name; "
        + "select with '--include_patterns' and '--exclude_patterns' instead"
    case .configuration(let detail):
      "\(detail); without its alphas the adapter would be read at another strength"
    case .configurationValue(let file, let key, let expected, let found):
      "\(file): \(key): expected \(expected), found \(found)"
    case .pattern(let origin, let error): "\(origin): \(error)"
    }
  }
}
