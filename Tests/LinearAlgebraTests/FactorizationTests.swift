import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct FactorizationTests {
  static let shapes: [(Int, Int)] = [(1, 1), (1, 7), (7, 1), (5, 9), (9, 5), (40, 40), (130, 33)]

  @Test(arguments: shapes)
  func thinSVDReconstructs(_ m: Int, _ n: Int) throws {
    let a = Tensor(random: [m, n], seed: 3)
    let svd = try a.svd()
    #expect(svd.u.shape == [m, min(m, n)] && svd.vt.shape == [min(m, n), n])
    // 5e-6: backward stable to a few dozen roundings of single precision.
    expectClose(svd.product(), a, tolerance: 5e-6)
    #expect(departureFromOrthonormality(svd.u) < 1e-5)
    #expect(departureFromOrthonormality(svd.vt.transposed()) < 1e-5)
    #expect(svd.s == svd.s.sorted(by: >) && svd.s.allSatisfy { $0 >= 0 })
    for j in 0..<svd.rank {
      let column = (0..<m).map { svd.u.elements[$0 * svd.rank + j] }
      #expect(column.max { abs($0) < abs($1) }! > 0)
    }
  }

  @Test(arguments: ["wide", "tall", "square"])
  func singularValuesEqualNumPy(_ name: String) throws {
    let a = Reference.tensor("\(name).a")
    let expected = Reference.tensor("\(name).s")
    expectClose(Tensor(expected.shape, try a.svd().s), expected, tolerance: 1e-6)
    expectClose(Tensor(expected.shape, try a.singularValues()), expected, tolerance: 1e-6)
    for method in SVDMethod.allCases {
      let nearest = try a.truncatedSVD(rank: 2, method: method).product()
      expectClose(nearest, Reference.tensor("\(name).rank2"), tolerance: 2e-6, "\(method)")
    }
  }

  @Test(arguments: shapes)
  func qrReconstructs(_ m: Int, _ n: Int) throws {
    let a = Tensor(random: [m, n], seed: 4)
    let (q, r) = try a.qr()
    let k = min(m, n)
    #expect(q.shape == [m, k] && r.shape == [k, n])
    expectClose(q.matmul(r), a, tolerance: 5e-6)
    #expect(departureFromOrthonormality(q) < 1e-5)
    for i in 0..<k {
      #expect(r.elements[i * n + i] >= 0)
      for j in 0..<i { #expect(r.elements[i * n + j] == 0) }
    }
  }

  @Test func qrOfDependentColumnsIsOrthonormal() throws {
    let column = Tensor(random: [20, 1], seed: 5)
    let a = column.matmul(Tensor([1, 3], [1, 2, 0]))
    let (q, r) = try a.qr()
    #expect(departureFromOrthonormality(q) < 1e-6)
    expectClose(q.matmul(r), a, tolerance: 1e-6)
  }

  @Test func symmetricEigenEqualsNumPy() throws {
    let a = Reference.tensor("symmetric.a")
    let (values, vectors) = try a.symmetricEigen()
    // The computation is in double precision, the reference is read as single.
    expectClose(
      Tensor([7], values.map { Float($0) }), Reference.tensor("symmetric.values"), tolerance: 1e-7)
    #expect(departureFromOrthonormality(vectors) < 1e-6)
    var scaled = vectors
    for i in 0..<49 { scaled.elements[i] *= Float(values[i % 7]) }
    expectClose(scaled.matmulTransposed(vectors), a, tolerance: 1e-6)
  }

  @Test func solveAndInverseEqualNumPy() throws {
    let (a, b) = (Reference.tensor("solve.a"), Reference.tensor("solve.b"))
    // 1e-5: roundings times a condition number of some ten.
    expectClose(try a.solve(b), Reference.tensor("solve.x"), tolerance: 1e-5)
    expectClose(a.inverse(), Reference.tensor("solve.inverse"), tolerance: 1e-5)
    let vector = Tensor([6], b.columnElements(0))
    expectClose(
      try a.solve(vector), Tensor([6], Reference.tensor("solve.x").columnElements(0)),
      tolerance: 1e-5)
  }

  @Test func singularMatricesHaveNoSolution() throws {
    let singular = Tensor([2, 2], [1, 2, 2, 4])
    #expect(throws: LinearAlgebraError.singular(.solve, [2, 2])) {
      try singular.solve(Tensor(zeros: [2, 1]))
    }
    #expect(singular.inverse().elements.allSatisfy { $0.isNaN })
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func notFiniteIsAnError(_ value: Float) throws {
    var a = Tensor(random: [200, 150], seed: 6)
    a.elements[17_003] = value
    let shape = a.shape
    #expect(throws: LinearAlgebraError.notFinite(.svd, shape)) { try a.svd() }
    #expect(throws: LinearAlgebraError.notFinite(.qr, shape)) { try a.qr() }
    #expect(throws: LinearAlgebraError.notFinite(.singularValues, shape)) {
      try a.singularValues()
    }
    for method in SVDMethod.allCases {
      #expect(throws: LinearAlgebraError.notFinite(.truncatedSVD, shape)) {
        try a.truncatedSVD(rank: 4, method: method)
      }
      #expect(throws: LinearAlgebraError.notFinite(.truncatedSVD, shape)) {
        try a.truncatedSVD(relativeError: 0.5, method: method)
      }
    }
    let square = Tensor([1, 1], [value])
    #expect(throws: LinearAlgebraError.notFinite(.symmetricEigen, [1, 1])) {
      try square.symmetricEigen()
    }
    #expect(throws: LinearAlgebraError.notFinite(.solve, [1, 1])) {
      try square.solve(square)
    }
    #expect(
      LinearAlgebraError.notFinite(.svd, shape).description
        == "singular value decomposition of [200, 150]: expected finite numbers, found NaN or infinity"
    )
  }

  @Test func emptyMatricesHaveEmptyFactors() throws {
    let a = Tensor(zeros: [3, 0])
    let svd = try a.svd()
    #expect(svd.u.shape == [3, 0] && svd.s.isEmpty && svd.vt.shape == [0, 0])
    #expect(try a.truncatedSVD(rank: 2).rank == 0)
    #expect(try a.qr().q.shape == [3, 0])
    #expect(try a.singularValues().isEmpty)
  }
}

extension Tensor {
  fileprivate func columnElements(_ j: Int) -> [Float] {
    (0..<shape.rows).map { elements[$0 * shape.columns + j] }
  }
}
