import Adapters
import ModelFamilies

/// What `algo=` may say.
enum AlgorithmNames {
  static let known = trainableAlgorithms.filter { !$0.isOfNorms }
    .flatMap { [$0.name] + $0.aliases }

  /// - Throws: `NetworkError.unknownAlgorithm`
  static func algorithm(
    named name: String
  ) throws(NetworkError) -> any TrainableAlgorithm.Type {
    let lowercased = name.lowercased()
    guard
      let found = trainableAlgorithms.first(where: {
        !$0.isOfNorms && ($0.name == lowercased || $0.aliases.contains(lowercased))
      })
    else { throw .unknownAlgorithm(name, known: known) }
    return found
  }

  /// What a name stands for that is none of an algorithm, or is nearly one.
  static func hint(for name: String) -> String? {
    switch name.lowercased() {
    case "dora": "'dora_wd=True' makes DoRA of lora, loha and lokr"
    case "lycoris": "it is the name of a package: say which of its algorithms"
    case "rslora", "rs_lora": "'rs_lora=True' beside 'algo=lora' scales by the root of the rank"
    default: known.nearest(to: name).map { "did you mean '\($0)'?" }
    }
  }
}
