import Adapters
package import Checkpoints
package import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage

/// The modules of an adapter under the names of another format.
package struct RenamedModules: Sendable {
  package var modules: [AdapterModule] { Array(named.values) }
  private var named: OrderedDictionary<String, AdapterModule> = [:]
  /// Modules that have no name in the format, with the reason.
  package fileprivate(set) var unknown: [UnmatchedModule] = []
  /// How many modules were cut into the parts of a weight, and how many made of such parts.
  package fileprivate(set) var split = 0
  package fileprivate(set) var fused = 0
  /// Modules that stood in the file under two names.
  package fileprivate(set) var duplicates = 0
  /// By new name, the one it had.
  private var origins: [String: String] = [:]

  /// Modules with their former names, before it is known whether others have the new ones.
  fileprivate var pending: [(module: AdapterModule, origin: String)] = []

  /// - Throws: `CheckpointError.duplicateModule` if another module has the name already.
  fileprivate mutating func addPending() throws(CheckpointError) {
    for (module, origin) in pending {
      if let other = named[module.name] {
        guard try module.changesSame(as: other) else {
          throw .duplicateModule(
            module.file, layer: module.name, modules: [origins[module.name] ?? "", origin])
        }
        duplicates += 1
      } else {
        named[module.name] = module
        origins[module.name] = origin
      }
    }
    pending = []
  }
}

/// The names of an adapter's modules in another format, with weights fused or split where it keeps them
/// so.
package struct AdapterRenaming {
  private let naming: ModuleNaming
  private let format: AdapterFormat

  package init(_ naming: ModuleNaming, to format: AdapterFormat) {
    self.naming = naming
    self.format = format
  }

  /// - Throws: `CheckpointError.duplicateModule` for modules that mean the same layer and differ.
  package func renamed(_ modules: [AdapterModule]) throws(CheckpointError) -> RenamedModules {
    var result = RenamedModules()
    var groups: OrderedDictionary<String, Group> = [:]
    for module in modules {
      do throws(NoPlace) {
        switch try outcome(of: module) {
        case .modules(let modules):
          result.pending += modules.map { ($0, module.name) }
          if modules.count > 1 { result.split += 1 }
        case .part(let name, let index, let shares):
          var group =
            groups[name]
            ?? Group(shares: shares, parts: [AdapterModule?](repeating: nil, count: shares.count))
          if try group.add(module, at: index, of: name) { result.duplicates += 1 }
          groups[name] = group
        }
      } catch {
        result.unknown.append(UnmatchedModule(module, error.reason))
      }
      try result.addPending()
    }
    for (name, group) in groups {
      let parts = group.parts.compactMap { $0 }
      do throws(NoPlace) {
        let module = try ModuleFusing(group.parts, shares: group.shares, name: name).fused()
        result.pending.append((module, parts[0].name))
        result.fused += 1
      } catch {
        result.unknown += parts.map { UnmatchedModule($0, error.reason) }
      }
      try result.addPending()
    }
    return result
  }

  /// What becomes of a module.
  private enum Outcome {
    case modules([AdapterModule])
    case part(of: String, index: Int, shares: [Int])
  }

  private func outcome(of module: AdapterModule) throws(NoPlace) -> Outcome {
    switch try naming.spelling(
      of: module.name, in: format, weightShape: module.algorithm.weightShape(of: module.shapes))
    {
    case .same(let name, swapsHalves: false): return .modules([module.renamed(name)])
    case .same(let name, swapsHalves: true):
      let swapped = try ModuleSplitting(module, shares: [1, 1]).swappingHalves()
      return .modules([swapped.renamed(name)])
    case .parts(let names, let shares):
      let parts = try ModuleSplitting(module, shares: shares).parts()
      return .modules(zip(names, parts).compactMap { name, part in part?.renamed(name) })
    case .part(let name, let index, let shares):
      return .part(of: name, index: index, shares: shares)
    }
  }

  /// Parts of one weight of the format, collected until all are known.
  private struct Group {
    let shares: [Int]
    var parts: [AdapterModule?]

    /// Whether the same part was there already.
    mutating func add(
      _ module: AdapterModule, at index: Int, of name: String
    ) throws(NoPlace) -> Bool {
      if let other = parts[index] {
        guard (try? module.changesSame(as: other)) == true else {
          throw NoPlace("it differs from '\(other.name)', which is the same part of '\(name)'")
        }
        return true
      }
      parts[index] = module
      return false
    }
  }
}

extension UnmatchedModule {
  fileprivate init(_ module: AdapterModule, _ reason: String) {
    self.init(file: module.file.string, module: module.name, reason: reason)
  }
}
