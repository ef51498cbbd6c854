package import Safetensors
package import SystemPackage

/// Why a state of a training cannot be written or resumed.
package enum StateError: Error {
  case io(FilePath, String, Errno)
  case file(SafetensorsError)
  case notAState(FilePath, String)
  case version(FilePath, found: Int)
  /// An option that is not as it was.
  case setting(FilePath, String, was: String?, is: String?)
  case parameter(FilePath, String, expected: String, found: String)
  case optimizer(FilePath, OptimizerStateError)
  /// A file whose contents are not those that were written.
  case changed(FilePath)
}

extension StateError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .io(let path, let operation, let error):
      "\(path): cannot \(operation) the state: \(error)"
    case .file(let error): "\(error)"
    case .notAState(let path, let detail):
      "\(path): expected a folder written with '--save_state', \(detail)"
    case .version(let path, let found):
      "\(path): expected a state of format \(TrainingProgress.currentVersion), found \(found); it is of "
        + "another version of lyco-train"
    case .setting(let path, let option, let was, let now):
      "\(path): '\(option)' was \(was.map { "'\($0)'" } ?? "not given") when the state was saved and is "
        + "\(now.map { "'\($0)'" } ?? "not given") now; resume with the options of that run, or start "
        + "from the adapter with '--network_weights'"
    case .parameter(let path, let name, let expected, let found):
      "\(path): parameter '\(name)': expected \(expected), found \(found); the state is of another network"
    case .optimizer(let path, let error): "\(path): \(error)"
    case .changed(let path):
      "\(path): expected the contents that were saved, found others: the file was damaged or changed; resume "
        + "from another state, or start from the adapter with '--network_weights'"
    }
  }
}

extension StateError {
  static func number(
    _ name: String, expected: String, found: Int, in folder: FilePath
  ) -> StateError {
    .notAState(folder, "but '\(name)': expected \(expected), found \(found)")
  }
}
