import CMPI
import Machine

/// Sums over the ranks of Open MPI: every number goes to the rank that owns it, which adds the terms in order, and
/// the sums from there to all. Each rank sends what it has about twice, as `MPI_Allreduce` does at best.
///
/// Memory: numbers received, and sums of a part.
final class MPISum: OrderedSum {
  private let ranks: MPICommunicator
  private let count: Int
  private var sums: [Float]
  private var received: [Float]
  /// Nothing was added yet: sums are old.
  private var begins = true

  init(of count: Int, over ranks: MPICommunicator) {
    (self.count, self.ranks) = (count, ranks)
    let width =
      lyco_mpi_slice_start(count, CInt(ranks.rank + 1))
      - lyco_mpi_slice_start(count, CInt(ranks.rank))
    sums = Array(repeating: 0, count: width)
    received = Array(repeating: 0, count: width * ranks.count)
  }

  func add(_ values: [Float]) throws(RankFailure) {
    precondition(values.count == count, "\(values.count) numbers of \(count) to add")
    let code = unsafe lyco_mpi_add(values, count, begins ? 1 : 0, &sums, &received)
    guard code == 0 else { throw ranks.lost(code) }
    begins = false
  }

  func collect(into values: inout [Float]) throws(RankFailure) {
    precondition(values.count == count, "room for \(values.count) numbers of \(count)")
    if begins { for i in sums.indices { sums[i] = -0.0 } }
    let code = unsafe lyco_mpi_collect(sums, &values, count)
    guard code == 0 else { throw ranks.lost(code) }
    begins = true
  }
}
