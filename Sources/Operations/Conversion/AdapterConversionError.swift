package import SystemPackage
package import Tensors

/// Why adapters cannot be combined or turned into another algorithm.
package enum AdapterConversionError: Error {
  case needsBase(FilePath, module: String, algorithm: String, flag: String)
  case noPlace(FilePath, module: String, reason: String)
  case needsRank(FilePath, module: String, algorithm: String)
  case shapeNotTold(FilePath, module: String, algorithm: String)
  case notDynamic(FilePath)
  case sliceUnit(FilePath, unit: Int, rank: Int)
  case sliceRank(FilePath, rank: Int, module: String, found: Int)
  case differentShapes(module: String, first: (FilePath, Shape), second: (FilePath, Shape))
  case notCombinable(FilePath, module: String, algorithm: String)
  case differentKinds(module: String, first: (FilePath, String), second: (FilePath, String))
  case nothingLeft
}

extension AdapterConversionError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .needsBase(let file, let module, let algorithm, let flag):
      "\(file): module '\(module)': \(algorithm) changes a weight by what it is: say '--base "
        + "CHECKPOINT'" + (flag.isEmpty ? "" : " with '\(flag)'")
    case .noPlace(let file, let module, let reason):
      "\(file): module '\(module)': no weight in '--base': \(reason)"
    case .needsRank(let file, let module, let algorithm):
      "\(file): module '\(module)': expected a rank for \(algorithm): '--dim', '--max_error' or "
        + "'--dynamic_method'"
    case .shapeNotTold(let file, let module, let algorithm):
      "\(file): module '\(module)': the factors of \(algorithm) do not tell the shape of the weight; "
        + "say '--base CHECKPOINT'"
    case .notDynamic(let file):
      "\(file): expected a DyLoRA, found no module of up and down without a core to cut"
    case .sliceUnit(let file, let unit, let rank):
      "\(file): expected '--dylora_unit' of at most the rank, \(rank), found \(unit)"
    case .sliceRank(let file, let rank, let module, let found):
      "\(file): module '\(module)': expected a rank of at least \(rank) to cut, found \(found)"
    case .differentShapes(let module, let first, let second):
      "\(second.0): module '\(module)': expected a weight \(first.1) as in \(first.0), found "
        + "\(second.1); adapters of different models cannot be combined"
    case .notCombinable(let file, let module, let algorithm):
      "\(file): module '\(module)': \(algorithm) changes a weight by what it is and cannot be scaled "
        + "or added; say '--base CHECKPOINT', so that its change can be"
    case .differentKinds(let module, let first, let second):
      "\(second.0): module '\(module)': expected \(first.1) as in \(first.0), found \(second.1)"
    case .nothingLeft: "no module is left: every ratio is 0"
    }
  }
}
