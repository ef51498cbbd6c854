import ModelFamilies
package import SystemPackage
package import Tensors

/// Why checkpoints cannot be made into one, or into another.
package enum CheckpointConversionError: Error {
  case shapes(tensor: String, first: (FilePath, Shape), other: (FilePath, Shape))
  case wider(tensor: String, first: (FilePath, Shape), other: (FilePath, Shape))
  case nothingInCommon(FilePath, FilePath)
  case families(first: (FilePath, String), other: (FilePath, String))
  case differenceOf(Int)
  case ratioCount(flag: String, found: Int, sources: Int)
  case unknownModel(FilePath)
  case noAverages(FilePath)
  case nothingLeft(FilePath)
}

extension CheckpointConversionError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .shapes(let tensor, let first, let other):
      "\(other.0): tensor '\(tensor)': expected shape \(first.1) as in \(first.0), found \(other.1)"
    case .wider(let tensor, let first, let other):
      "\(other.0): tensor '\(tensor)': expected no more inputs than in \(first.0) \(first.1), found "
        + "\(other.1); the checkpoint with more inputs (inpainting) comes first"
    case .nothingInCommon(let first, let other):
      "\(other): no tensor in common with \(first): expected checkpoints of one model"
    case .families(let first, let other):
      "\(other.0): expected a checkpoint of \(first.1) as \(first.0), found \(other.1)"
        + ([first.1, other.1].contains(ModelFamily.generic.name)
          ? "; '--family' says what both are read as"
          : ": they are of different models, which no option bridges")
    case .differenceOf(let count):
      "'--add_difference': expected three checkpoints, A + m (B - C), found \(count)"
    case .ratioCount(let flag, let found, let sources):
      "'--\(flag)': expected \(sources == 2 ? "one number or one" : "one number") for each of "
        + "\(sources) checkpoints (with '--add_difference' one), found \(found)"
    case .unknownModel(let file):
      "\(file): '--prune non-model': expected a model of a known family, since nothing else tells "
        + "what belongs to it; name it with '--family'"
    case .noAverages(let file):
      "\(file): '--extract_ema': expected moving averages under 'model_ema.', found none"
    case .nothingLeft(let file): "\(file): '--prune' leaves no tensor"
    }
  }
}
