package import Safetensors
package import SystemPackage

extension AdapterFile {
  /// The modules as changes of the base.
  /// - Throws: `CheckpointError.beginning`, `.initialModule`
  static func changes(
    of modules: [AdapterModule], _ beginnings: Beginnings, _ stated: StatedConfiguration,
    in file: FilePath
  ) throws(CheckpointError) -> [AdapterModule] {
    let ways = modules.map { stated.beginning(of: $0.name) }
    guard let way = ways.first(where: { !$0.isZero }) else { return modules }
    switch beginnings {
    case .kept: return modules
    case .refused:
      throw .beginning(file, way.name ?? "", modules: ways.count { !$0.isZero })
    case .subtracted(let initial):
      let first = Dictionary(
        initial.modules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      var changes: [AdapterModule] = []
      for (module, way) in zip(modules, ways) {
        guard !way.isZero else {
          changes.append(module)
          continue
        }
        guard let before = first[module.name] else {
          throw .initialModule(initial.file.path, module: module.name, shapes: nil)
        }
        changes.append(try module.subtracting(before))
      }
      return changes
    }
  }

  /// Several adapters as changes of a base, those that did not begin at zero without what they began with.
  /// - Parameters:
  ///   - initial: adapters as they were before training, in the order of those that need one.
  ///   - onResidualBase: whether the base is the one from which the first products were taken out.
  /// - Throws: `CheckpointError`, `.unusedInitial` for more initial adapters than are needed;
  ///   `SafetensorsError` from opening.
  package static func changes(
    of files: [TensorFile], since initial: [FilePath], onResidualBase: Bool = false
  ) throws -> [AdapterFile] {
    var rest = initial[...]
    let adapters = try files.map { file in
      let needsInitial = try !onResidualBase && !rest.isEmpty && beginning(of: file) != nil
      guard needsInitial else {
        return try AdapterFile(file, onResidualBase ? .kept : .refused)
      }
      let first = try AdapterFile(opening: rest.removeFirst(), .kept)
      return try AdapterFile(file, .subtracted(first))
    }
    if let unused = rest.first { throw CheckpointError.unusedInitial(unused) }
    return adapters
  }

  /// The way in which training began where that was not at zero.
  /// - Throws: `CheckpointError`
  private static func beginning(of file: TensorFile) throws -> FactorBeginning? {
    let stated = try StatedConfiguration(of: file)
    return try AdapterFile(file, .kept).modules.lazy.map { stated.beginning(of: $0.name) }
      .first { !$0.isZero }
  }
}
