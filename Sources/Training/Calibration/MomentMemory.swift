import LinearAlgebra
import Machine
import Safetensors
import SystemPackage

/// Where sums of moments lie: in memory up to a bound, and in files without a name beyond.
final class MomentMemory {
  private let folder: FilePath
  /// Bytes up to which they stay in memory; nil for half of what is left when the first is made.
  private var bound: Int?
  private var taken = 0
  /// Why there was no room for one, which is then in memory after all.
  private(set) var failure: SafetensorsError?

  init(bound: Int? = nil, spillingTo folder: FilePath) {
    (self.bound, self.folder) = (bound, folder)
  }

  func sum(ofOrder order: Int) -> SymmetricSum {
    let count = SymmetricSum.count(ofOrder: order)
    taken += count * MemoryLayout<Float>.stride
    let bound = bound ?? (AvailableMemory.bytes ?? .max) / 2
    self.bound = bound
    guard taken > bound, count > 0 else { return SymmetricSum(order: order) }
    do throws(SafetensorsError) {
      let memory = try ScratchMemory(count: count, in: folder)
      return SymmetricSum(order: order, in: SpilledNumbers(memory))
    } catch {
      failure = failure ?? error
      return SymmetricSum(order: order)
    }
  }
}

private final class SpilledNumbers: FloatMemory {
  private let memory: ScratchMemory

  init(_ memory: ScratchMemory) { self.memory = memory }

  var start: UnsafeMutablePointer<Float> { unsafe memory.start }
}
