import ModelFamilies

/// Programs of sd-scripts and musubi-tuner that train something else than adapters.
enum OtherScript {
  private static let purposes: [String: String] = [
    "train_db.py": models, "fine_tune.py": models, "sdxl_train.py": models, "flux_train.py": models,
    "sd3_train.py": models, "lumina_train.py": models, "anima_train.py": models,
    "hv_train.py": models, "qwen_image_train.py": models, "zimage_train.py": models,
    "hidream_o1_train.py": models,
    "train_textual_inversion.py": embeddings, "train_textual_inversion_XTI.py": embeddings,
    "sdxl_train_textual_inversion.py": embeddings,
    "train_control_net.py": controls, "train_controlnet.py": controls,
    "sdxl_train_control_net.py": controls, "sdxl_train_control_net_lllite.py": controls,
    "sdxl_train_control_net_lllite_old.py": controls, "flux_train_control_net.py": controls,
  ]

  private static let models = "it trains whole models"
  private static let embeddings = "it trains embeddings"
  private static let controls = "it trains ControlNets"

  /// - Parameter script: that nothing here takes the place of.
  static func refusal(of script: String) -> String {
    let known = ModelFamily.trainingScripts.map { "'\($0)'" }
    return
      "'\(script)': \(purposes[script] ?? "no script that is known"); what is trained here are adapters: name "
      + "\(known.dropLast().joined(separator: ", ")) or \(known.last ?? "") and its options, or leave the script out"
  }
}
