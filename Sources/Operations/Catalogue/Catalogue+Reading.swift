import Machine
package import ModelFamilies
import Safetensors
package import SystemPackage

extension Catalogue {
  private typealias Reading<Value> = Result<Value, Fault>

  /// Reads the headers of all files below a folder.
  ///
  /// Adapters whose names, shapes and words on their family are the same are recognized once.
  /// - Parameter family: what the files are read as; recognized if nil.
  /// - Throws: `CancellationError`; what is wrong with a file is a fault of the catalogue.
  package init(
    of folder: FilePath, as family: ModelFamily? = nil, threads: Int, progress: ProgressReporter
  ) async throws {
    let scan = try CatalogueScan(folder)
    var completed = 0
    let readings = try await concurrentMap(
      scan.items, width: threads, cost: { _ in 1 },
      transform: { item in
        Self.reading(item) { CatalogueHeader($0, item) }
      },
      finished: { _ in
        completed += 1
        progress.report(
          Progress(
            activity: "reading headers", completed: completed, total: scan.items.count,
            isBytes: false))
      })
    var faults = scan.faults
    var headers: [CatalogueHeader] = []
    for reading in readings {
      switch reading {
      case .success(let header): headers.append(header)
      case .failure(let fault): faults.append(fault)
      }
    }

    // The first of those that are alike; all of them where what they are depends on more.
    var first: [CatalogueHeader.Likeness: Int] = [:]
    for (index, header) in headers.enumerated() where first[header.likeness] == nil {
      first[header.likeness] = index
    }
    @Sendable func recognize(_ header: CatalogueHeader) -> Reading<CatalogueRecognition> {
      Self.reading(header.item) { CatalogueRecognition(try Inspection($0, as: family)) }
    }
    var recognized: [Int: Reading<CatalogueRecognition>] = [:]
    let leading = first.values.sorted()
    let found = try await concurrentMap(
      leading.map { headers[$0] }, width: threads, cost: { _ in 1 }, transform: recognize)
    for (index, reading) in zip(leading, found) { recognized[index] = reading }
    var others: [Int] = []
    for (index, header) in headers.enumerated() where recognized[index] == nil {
      let alike = first[header.likeness].flatMap { recognized[$0] }
      if case .success(let value)? = alike, value.kind == .adapter {
        recognized[index] = .success(value)
      } else {
        others.append(index)
      }
    }
    let rest = try await concurrentMap(
      others.map { headers[$0] }, width: threads, cost: { _ in 1 }, transform: recognize)
    for (index, reading) in zip(others, rest) { recognized[index] = reading }

    var entries: [CatalogueEntry] = []
    var compared: [CatalogueHeader] = []
    var caches = 0
    for (index, header) in headers.enumerated() {
      switch recognized[index] {
      case .success(let value)? where value.isCache: caches += 1
      case .success(let value)?:
        entries.append(CatalogueEntry(header, value))
        compared.append(header)
      case .failure(let fault)?: faults.append(fault)
      case nil: preconditionFailure("'\(header.item.name)' was not looked at")
      }
    }
    self.folder = folder.text
    self.entries = entries
    self.faults = faults.sorted { $0.file < $1.file }
    self.caches = caches
    self.compared = Self.comparison
    duplicates = try Self.duplicates(among: compared, progress: progress)
  }

  private static func reading<Value>(
    _ item: CatalogueScan.Item, _ read: (TensorFile) throws -> Value
  ) -> Reading<Value> {
    do {
      return .success(try read(TensorFile(opening: item.path, reading: .headers)))
    } catch {
      return .failure(Fault(file: item.name, reason: "\(error)"))
    }
  }
}
