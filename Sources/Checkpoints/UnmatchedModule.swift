/// An adapter module that has no place in the base.
package struct UnmatchedModule: Codable, Equatable, Sendable {
  /// Path of the adapter file.
  package let file: String
  package let module: String
  package let reason: String

  package init(file: String, module: String, reason: String) {
    self.file = file
    self.module = module
    self.reason = reason
  }
}

extension [UnmatchedModule] {
  /// At most nine names: the first ones of the first reasons.
  package var examples: String {
    byReason.prefix(3).map { group in
      group.modules.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        + (group.modules.count > 3 ? ", …" : "") + " (\(group.reason))"
    }.joined(separator: ", ") + (byReason.count > 3 ? ", …" : "")
  }

  /// The modules that the same reason keeps out, in the order of the first of each.
  var byReason: [(reason: String, modules: [String])] {
    var places: [String: Int] = [:]
    var groups: [(reason: String, modules: [String])] = []
    for module in self {
      if let place = places[module.reason] {
        groups[place].modules.append(module.module)
      } else {
        places[module.reason] = groups.count
        groups.append((module.reason, [module.module]))
      }
    }
    return groups
  }
}
