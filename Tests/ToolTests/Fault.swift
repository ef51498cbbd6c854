import Glibc

/// What goes wrong in a run: see `Tests/FileFaults`.
enum Fault: CustomStringConvertible {
  case none
  /// The process is killed before a call.
  case kill(Int)
  /// A call fails.
  case failure(Int, CInt)

  var environment: [String: String] {
    switch self {
    case .none: [:]
    case .kill(let number): ["FAULTS_KILL": "\(number)"]
    case .failure(let number, let error):
      ["FAULTS_FAIL": "\(number)", "FAULTS_ERRNO": "\(error)"]
    }
  }

  var isFailure: Bool {
    if case .failure = self { true } else { false }
  }

  var description: String {
    switch self {
    case .none: "no fault"
    case .kill(let number): "killed before call \(number)"
    case .failure(let number, let error):
      "call \(number) fails with \(error == ENOSPC ? "ENOSPC" : "EIO")"
    }
  }
}
