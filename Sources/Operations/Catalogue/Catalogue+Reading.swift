package import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage

extension Catalogue {
  private enum Finding: Sendable {
    case entry(CatalogueEntry, TensorDigest?)
    case fault(Fault)
    case cache
  }

  /// Reads the headers of all files below a folder.
  /// - Parameter family: what the files are read as; recognized if nil.
  /// - Throws: `CancellationError`; what is wrong with a file is a fault of the catalogue.
  package init(
    of folder: FilePath, as family: ModelFamily? = nil, threads: Int, progress: ProgressReporter
  ) async throws {
    let scan = try CatalogueScan(folder)
    var completed = 0
    let findings = try await concurrentMap(
      scan.items, width: threads, cost: { _ in 1 },
      transform: { item -> Finding in Self.finding(item, as: family) },
      finished: { _ in
        completed += 1
        progress.report(
          Progress(
            activity: "reading headers", completed: completed, total: scan.items.count,
            isBytes: false))
      })
    var entries: [CatalogueEntry] = []
    var faults = scan.faults
    var candidates: [Candidate] = []
    var caches = 0
    for (item, finding) in zip(scan.items, findings) {
      switch finding {
      case .entry(let entry, let digest):
        entries.append(entry)
        if let digest {
          candidates.append(Candidate(item: item, bytes: entry.bytes, digest: digest))
        }
      case .fault(let fault): faults.append(fault)
      case .cache: caches += 1
      }
    }
    self.folder = folder.string
    self.entries = entries
    self.faults = faults.sorted { $0.file < $1.file }
    self.caches = caches
    compared = Self.comparison
    duplicates = try Self.duplicates(among: candidates, progress: progress)
  }

  private static func finding(_ item: CatalogueScan.Item, as family: ModelFamily?) -> Finding {
    do {
      let file = try TensorFile(opening: item.path, reading: .headers)
      let inspection = try Inspection(file, as: family)
      guard inspection.cache == nil else { return .cache }
      return .entry(CatalogueEntry(inspection, named: item.name), TensorDigest(file))
    } catch {
      return .fault(Fault(file: item.name, reason: "\(error)"))
    }
  }
}
