package import Machine
package import SystemPackage

/// What is wrong with a prompt, or with a file of prompts. Places are files with lines, or options.
package enum PromptError: Error, Equatable {
  case unreadable(FilePath, InputError)
  case syntax(FilePath, detail: String)
  case noPrompts(FilePath)
  case noText(place: String)
  case tooLong(place: String, limit: Int, found: Int)
  case unknownOption(place: String, name: String, near: String?, known: [String])
  case repeatedOption(place: String, name: String)
  case value(place: String, name: String, expected: String, found: String)
}

extension PromptError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let path, let error): "\(path): \(error)"
    case .syntax(let path, let detail): "\(path): \(detail)"
    case .noPrompts(let path):
      "\(path): expected at least one prompt, found none: blank lines and those that begin with '#' do not count"
    case .noText(let place): "\(place): expected a prompt before the options, found none"
    case .tooLong(let place, let limit, let found):
      "\(place): expected a prompt of at most \(limit) characters, found \(found)"
    case .unknownOption(let place, let name, let near, let known):
      "\(place): unknown option '\(name)'"
        + (near.map { "; did you mean '\($0)'?" }
          ?? "; a prompt may say \(known.joined(separator: ", "))")
    case .repeatedOption(let place, let name):
      "\(place): expected '\(name)' once, found it twice; remove one"
    case .value(let place, let name, let expected, let found):
      "\(place): '\(name)': expected \(expected), found \(found)"
    }
  }
}
