import CLayers
package import Tensors

/// Mean and variance of every group of channels of one sample, gathered from its parts: a group norm of an image that
/// is never there as a whole. Nothing of it is recorded.
package struct GroupMoments: Sendable {
  /// Numbers of a group so far.
  private var count = 0.0
  private var means: [Double]
  /// Sums of squared distances from the mean.
  private var squares: [Double]

  package init(groups: Int) {
    means = Array(repeating: 0, count: groups)
    squares = means
  }

  /// Adds a part, `[1, …, channels]`, by the rule of Chan, Golub and LeVeque (1979) for two samples.
  package mutating func add(_ part: Tensor) {
    guard part.count > 0 else { return }
    var extents = lyco_group_norm(part.shape, groups: means.count)
    var moments = [Double](repeating: 0, count: 2 * means.count)
    unsafe part.reading { x in
      check(unsafe lyco_group_norm_moments(&extents, x, &moments), "moments of \(part.shape)")
    }
    let added = Double(part.count / means.count)
    let sum = count + added
    for group in means.indices {
      let distance = moments[2 * group] - means[group]
      means[group] += distance * added / sum
      squares[group] +=
        moments[2 * group + 1] * added + distance * distance * count * added / sum
    }
    count = sum
  }

  /// Means and inverse deviations, `[1, groups, 2]`.
  fileprivate func statistics(epsilon: Float) -> Tensor {
    Tensor(
      [1, means.count, 2],
      means.indices.flatMap {
        [Float(means[$0]), Float(1 / (squares[$0] / count + Double(epsilon)).squareRoot())]
      })
  }
}

extension Layer {
  /// Moments for this group norm, of nothing yet.
  package var groupMoments: GroupMoments { GroupMoments(groups: groupNorm.groups) }

  /// A part `[1, …, channels]` of a sample by the moments of the whole of it, through this group norm.
  package func normalized(_ part: Tensor, by moments: GroupMoments) -> Tensor {
    let norm = groupNorm
    var extents = lyco_group_norm(
      part.shape, groups: norm.groups, epsilon: norm.epsilon, silu: norm.silu)
    let (weight, statistics) = (weightValue, moments.statistics(epsilon: norm.epsilon))
    let bias = bias ?? Tensor(zeros: weight.shape)
    return unsafe Tensor(filling: part.shape) { y in
      unsafe part.reading { x in
        unsafe weight.reading { weight in
          unsafe bias.reading { bias in
            unsafe statistics.reading {
              check(
                unsafe lyco_group_norm_apply(&extents, x, weight, bias, $0, y),
                "norm of \(part.shape)")
            }
          }
        }
      }
    }
  }

  /// An image by this layer's kernel with other steps and edges: a part of a larger one has none of its own. Without
  /// the adapter.
  package func convolved(_ part: Tensor, _ geometry: ConvolutionGeometry) -> Tensor {
    guard let kernel else { preconditionFailure("\(path) is no convolution") }
    return Recording.pause { Variable(part).convolved(kernel, bias: bias, geometry).value }
  }

  private var groupNorm: (groups: Int, epsilon: Float, silu: Bool) {
    guard case .groupNorm(let groups, let epsilon, let silu) = operation else {
      preconditionFailure("\(path) is no group norm")
    }
    return (groups, epsilon, silu)
  }
}

extension lyco_group_norm {
  /// Of `[1, …, channels]`.
  fileprivate init(_ shape: Shape, groups: Int, epsilon: Float = 0, silu: Bool = false) {
    let channels = shape.dimensions.last ?? 1
    precondition(
      shape.dimensions.first == 1 && channels % groups == 0,
      "part \(shape) of a sample in \(groups) groups")
    self.init(
      batch: 1, positions: shape.count / channels, channels: channels, groups: groups,
      epsilon: epsilon, silu: silu ? 1 : 0)
  }
}
